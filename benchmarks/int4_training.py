"""Accuracy with int4 weights: after training, and trained as if quantized, beside int8 and float.

    python -m benchmarks.int4_training [--seeds 3] [--markdown docs/quantization.md]

A small network for CIFAR-10 with a depthwise layer is trained in float, once for each seed, and its batch
norms are folded. From there on, for as many epochs each: float goes on as it was; QAT trains with
`tinycc.torch.Quantizer(is_qat=True)`, weights of int8 or int4. PTQ quantizes the folded network without
more training. All that is quantized is run as C. The test images serve the table alone. Takes about
three minutes of a core for each seed. `--markdown` writes the table between the marks of a page.
"""

import io
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchao.quantization.pt2e import move_exported_model_to_eval
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e

import tinycc
from benchmarks.tables import table, write_measured
from tests.tools.corpus import corpus_folder, load_arrays
from tinycc.quantization.pt2e import quantize_program
from tinycc.torch import Quantizer, Weights

TRAINING_IMAGES = 20_000
CALIBRATION = 200
BATCH = 64
EPOCHS, MORE_EPOCHS = 8, 3
RATE, MORE_RATE = 3e-3, 5e-4

Data = tuple[torch.Tensor, torch.Tensor]


def layer(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Convolution, batch norm, ReLU."""
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def network() -> nn.Sequential:
    """Of 2.0 million multiply-accumulates and 45 thousand weights: [N, 3, 32, 32] to [N, 10]."""
    return nn.Sequential(
        *layer(3, 16, 3, 2),
        *layer(16, 32, 3),
        *layer(32, 32, 3, 2, groups=32),
        *layer(32, 64, 1),
        *layer(64, 64, 3, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


def folded(trained: nn.Sequential) -> nn.Sequential:
    """Each batch norm as part of the convolution before it."""
    layers = list(trained.eval())
    fused = [
        fuse_conv_bn_eval(each, after)
        if isinstance(each, nn.Conv2d) and isinstance(after, nn.BatchNorm2d)
        else each
        for each, after in zip(layers, [*layers[1:], None], strict=True)
        if not isinstance(each, nn.BatchNorm2d)
    ]
    return nn.Sequential(*fused)


def images(name: str, count: int | None = None) -> Data:
    """Images [N, 3, 32, 32] in -1 ... 1, evenly from a file with class after class, and their classes [N]."""
    data = load_arrays(corpus_folder() / "data" / f"{name}.npz")
    content, offset, total = data["jpeg"].tobytes(), data["offset"], len(data["y"])
    chosen = np.arange(count or total) * total // (count or total)
    pixels = [
        np.asarray(Image.open(io.BytesIO(content[offset[index] : offset[index + 1]])).convert("RGB"))
        for index in chosen
    ]
    labels = torch.from_numpy(data["y"][chosen].astype(np.int64))
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2) / 127.5 - 1, labels


def train(model: nn.Module, data: Data, epochs: int, rate: float) -> None:
    """Adam, the rate falling along a cosine; half of the images are mirrored, moved by up to two pixels."""
    inputs, labels = data
    optimizer = torch.optim.Adam(model.parameters(), rate)
    steps = epochs * (len(labels) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(epochs):
        for chosen in torch.randperm(len(labels)).split(BATCH)[: len(labels) // BATCH]:
            batch = inputs[chosen]
            batch = torch.where(torch.rand(len(batch), 1, 1, 1) < 0.5, batch, batch.flip(3))
            batch = batch.roll(tuple(torch.randint(-2, 3, (2,)).tolist()), (2, 3))
            optimizer.zero_grad()
            F.cross_entropy(model(batch), labels[chosen]).backward()
            optimizer.step()
            schedule.step()


def trained_as_quantized(start: nn.Module, data: Data, weights: Weights) -> torch.export.ExportedProgram:
    """The network after as many epochs more of training as if quantized."""
    shapes = ({0: torch.export.Dim("batch", min=2, max=4096)},)
    exported = torch.export.export(start.train(), (data[0][:2],), dynamic_shapes=shapes)
    prepared = prepare_qat_pt2e(exported.module(), Quantizer(is_qat=True, weights=weights))
    train(prepared, data, MORE_EPOCHS, MORE_RATE)
    move_exported_model_to_eval(prepared)
    return torch.export.export(convert_pt2e(prepared), (data[0][:1],))


def accuracy_in_c(program: torch.export.ExportedProgram, test: Data) -> float:
    """Of the C on the host."""
    [scores] = tinycc.compile(program, schedule="whole").run([test[0][:, None].numpy()])
    return float((scores.reshape(len(test[1]), -1).argmax(1) == test[1].numpy()).mean())


def accuracy_in_torch(model: nn.Module, test: Data) -> float:
    """Of a float network."""
    with torch.no_grad():
        scores = torch.cat([model(batch) for batch in test[0].split(500)])
    return float((scores.argmax(1) == test[1]).float().mean())


def accuracies(seed: int, data: Data, test: Data) -> Iterator[tuple[str, float]]:
    """Each way to end training, and how many of the test images are right then."""
    torch.manual_seed(seed)
    trained = network().train()
    train(trained, data, EPOCHS, RATE)
    start = folded(trained)
    state = {name: value.clone() for name, value in start.state_dict().items()}
    yield "float", accuracy_in_torch(start, test)
    calibration = data[0][:CALIBRATION]
    widths: tuple[Weights, ...] = ("int8", "int4")
    for weights in widths:
        program = quantize_program(start, data[0][:1], calibration, Quantizer(weights=weights))
        yield f"{weights} weights, PTQ", accuracy_in_c(program, test)
    for weights in widths:
        torch.manual_seed(seed)
        start.load_state_dict(state)
        program = trained_as_quantized(start, data, weights)
        yield f"{weights} weights, QAT", accuracy_in_c(program, test)
    torch.manual_seed(seed)
    start.load_state_dict(state)
    train(start, data, MORE_EPOCHS, MORE_RATE)
    yield "float, trained on", accuracy_in_torch(start, test)


def mean_and_error(values: list[float]) -> str:
    """Mean and its standard error, in points."""
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return f"{100 * np.mean(values):.2f} ± {100 * error:.2f}"


def page(found: Mapping[str, list[float]]) -> str:
    """The table as Markdown: accuracies of each seed by the way to end training."""
    last = found["float, trained on"]
    seeds = range(len(last))
    rows = [
        [
            way,
            *(f"{100 * value:.2f}" for value in values),
            mean_and_error(values),
            mean_and_error([value - reference for value, reference in zip(values, last, strict=True)]),
        ]
        for way, values in found.items()
    ]
    return table(["top-1, %", *(f"seed {seed}" for seed in seeds), "mean", "less float, trained on"], rows)


@click.command()
@click.option("--seeds", default=3, show_default=True, help="How many trainings to average over.")
@click.option("--images", "count", default=TRAINING_IMAGES, show_default=True, help="To train with.")
@click.option("--markdown", type=click.Path(path_type=Path), help="The page to write the table into.")
def main(seeds: int, count: int, markdown: Path | None) -> None:
    """Train, measure and print, or write into a page."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    data, test = images("cifar10_jpeg_train50k", count), images("cifar10_jpeg_test9k")
    found: dict[str, list[float]] = defaultdict(list)
    for seed in range(seeds):
        for way, accuracy in accuracies(seed, data, test):
            click.echo(f"seed {seed}, {way}: {accuracy:.2%}", err=True)
            found[way].append(accuracy)
    text = page(found)
    if markdown is None:
        click.echo(text)
    else:
        write_measured(markdown, text, "int4")


if __name__ == "__main__":
    main()
