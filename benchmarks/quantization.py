"""Post-training quantization: float, each library's int8 at its best, and the C that tinycc makes of it.

    python -m benchmarks.quantization [--corpus PATH] [--markdown docs/quantization.md]

Takes about five minutes of a core, half of them to train the spoken-digit network. `--markdown` writes the
tables between the marks of a page.
"""

import sys
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
from scipy.stats import binomtest

import tinycc
from benchmarks.tables import table, write_measured
from tests.tools.corpus import ROOT, corpus_folder, load_arrays
from tinycc.frontend.load import describe_model
from tinycc.quantization import Preprocessing, QuantizedModel, quantize
from tinycc.quantization.calibration import DEFAULT_PREPROCESSING, Case, read_cases
from tinycc.quantization.runtime import open_runtime
from tinycc.quantization.signal import agreement, signal_to_noise, top_one

CALIBRATION_CASES = 200
UNLABELLED_CASES = 100
DIGIT_EPOCHS = 15
WORST_LAYERS = 5
# Raw pixels and nothing else in int8 leave this network 83 % on these images.
KEPT_AGREEMENT = 0.6
RANGES = {
    "onnx": ("min-max", "moving-average", "percentile", "entropy"),
    "tflite": ("min-max", "moving-average", "mse"),
}
LIBRARIES = {"onnx": "onnxruntime", "tflite": "ai-edge-quantizer"}


@dataclass(frozen=True, eq=False)
class Task:
    """A float model with data. labels: None where there are none for what it tells apart."""

    name: str
    model: Path
    calibration: np.ndarray
    inputs: np.ndarray
    labels: np.ndarray | None
    preprocessing: Preprocessing = DEFAULT_PREPROCESSING

    @property
    def kind(self) -> str:
        """The format."""
        return self.model.suffix[1:]


@dataclass(frozen=True, eq=False)
class Measured:
    """Scores [cases, classes] of the float model, the library's int8 in its own runtime, and the C.

    best: the library's range that is best on these very data. taken: what --range auto takes, without them;
        the C has --equalize as well.
    """

    task: Task
    floats: np.ndarray
    library: np.ndarray
    c: np.ndarray
    best: str
    taken: str


def tasks(corpus: Path, work: Path) -> list[Task]:
    """All tasks; trains the spoken-digit network."""
    images = load_arrays(corpus / "data" / "cifar10_jpeg_subset.npz")
    calibration = images["x_train"][:: len(images["x_train"]) // CALIBRATION_CASES]
    floats = corpus / "tflite" / "float", corpus / "onnx" / "from_tflite_float"
    found = []
    for folder, kind in zip(floats, ("tflite", "onnx"), strict=True):
        resnet = folder / f"mlperf_ic_resnet8_float.{kind}"
        found.append(Task("ResNet-8, CIFAR-10", resnet, calibration, images["x_test"], images["y_test"]))
    found.append(digits(corpus, work))
    for name, size, file, preprocessing in (
        ("MobileNet v1 0.25, VWW", 96, "mlperf_vww_mbv1_float", Preprocessing(std=(255.0,))),
        (
            "MobileNet v1 0.25, 1,000 classes",
            128,
            "t2o_mobilenet_v1_0.25_128",
            Preprocessing((127.5,), (127.5,)),
        ),
    ):
        few = [enlarged(images[key][:UNLABELLED_CASES], size) for key in ("x_train", "x_test")]
        for folder, kind in zip(floats, ("tflite", "onnx"), strict=True):
            found.append(Task(name, folder / f"{file}.{kind}", few[0], few[1], None, preprocessing))
    return found


def enlarged(pixels: np.ndarray, size: int) -> np.ndarray:
    """Images [n,size,size,3], bilinear."""
    from PIL import Image

    resized = [Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR) for image in pixels]
    return np.stack([np.asarray(image) for image in resized])


def digits(corpus: Path, work: Path) -> Task:
    """The network of models/spoken_digits, trained for fewer epochs, and its held-out clips."""
    sys.path.insert(0, str(ROOT / "models" / "spoken_digits"))
    import torch
    import train

    torch.set_num_threads(1)
    recordings = train.Recordings(corpus / "data" / "fsdd_8k_int16.npz")
    training, held_out = recordings.split(None)
    path = work / "spoken_digits.onnx"
    with redirect_stdout(sys.stderr):  # the losses of epochs are no part of the page
        train.export(train.train(recordings, training, DIGIT_EPOCHS), path)
    chosen = np.random.default_rng(train.SEED).choice(training, CALIBRATION_CASES, replace=False)
    clips = [recordings.features(which) for which in (chosen, held_out)]
    return Task("DS-CNN, spoken digits", path, clips[0], clips[1], recordings.label[held_out])


def measure(task: Task) -> Measured:
    """All that computes the test data of a task."""
    inputs = describe_model(task.model).inputs
    cases = read_cases(task.inputs, inputs, task.preprocessing).cases
    floats = scores(task.model.read_bytes(), task.kind, cases)
    own = partial(quantize, task.model, task.calibration, preprocessing=task.preprocessing)
    results = {name: _library(own(range=name), cases) for name in RANGES[task.kind]}
    quality = partial(_quality, task, floats)
    best = max(results, key=lambda name: quality(results[name]))
    chosen = own(range="auto", equalize=True)
    c = _c(chosen, task)
    return Measured(task, floats, results[best], c, best, chosen.choice.method)


def _quality(task: Task, floats: np.ndarray, found: np.ndarray) -> float:
    if task.labels is None:
        return signal_to_noise([floats], [found])
    return float((top_one(found) == task.labels).mean())


def _library(quantized: QuantizedModel, cases: Sequence[Case]) -> np.ndarray:
    return scores(quantized.content, quantized.kind, cases)


def scores(content: bytes, kind: str, cases: Sequence[Case]) -> np.ndarray:
    """The first output of a model in its own runtime, [cases, classes]."""
    return open_runtime(content, kind).run(cases)[0].reshape(len(cases), -1)


def _c(quantized: QuantizedModel, task: Task) -> np.ndarray:
    compiled = tinycc.compile(quantized)
    [output] = compiled.run([task.inputs])
    edge = compiled.report["outputs"][0]
    return (output.reshape(len(task.inputs), -1).astype(np.float32) - edge["zero_point"]) * edge["scale"]


def mcnemar(labels: np.ndarray, one: np.ndarray, other: np.ndarray) -> str:
    """Points that `other` is above `one`, in standard errors, and McNemar's exact p of that or more."""
    right = [top_one(found) == labels for found in (one, other)]
    lost, won = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    if not lost + won:
        return "+0.00 (the same cases)"
    errors = (won - lost) / np.sqrt(lost + won)
    p = binomtest(won, won + lost).pvalue
    return f"{100 * (won - lost) / len(labels):+.2f} ({errors:+.1f} s.e., p {p:.2f})"


def page(found: Sequence[Measured]) -> str:
    """The tables as Markdown."""
    labelled, others = [], []
    for each in found:
        task = each.task
        name = f"{task.name} ({LIBRARIES[task.kind]})"
        if task.labels is None:
            shares = [f"{agreement(each.floats, result):.0%}" for result in (each.library, each.c)]
            ratios = [f"{signal_to_noise([each.floats], [result]):.1f}" for result in (each.library, each.c)]
            others.append(
                [name, f"{shares[0]}, {ratios[0]} dB", each.best, f"{shares[1]}, {ratios[1]} dB", each.taken]
            )
            continue
        accuracies = [
            f"{(top_one(result) == task.labels).mean():.2%}" for result in (each.floats, each.library, each.c)
        ]
        labelled.append(
            [
                f"{name}, {len(task.labels):,}",
                accuracies[0],
                f"{accuracies[1]} ({each.best})",
                f"{accuracies[2]} ({each.taken})",
                mcnemar(task.labels, each.floats, each.c),
                mcnemar(task.labels, each.library, each.c),
            ]
        )
    return (
        "Accuracy; the last two columns are points of the C above float and above the library, with their "
        "standard errors and p-values by McNemar's test:\n\n"
        + table(["network, cases", "float", "library", "C", "C - float", "C - library"], labelled)
        + f"\nWithout labels, {UNLABELLED_CASES} images: agreement of top-1 and signal-to-noise ratio with "
        "the float model:\n\n" + table(["network", "library", "its range", "C", "range taken"], others)
    )


def broken_network(task: Task) -> str:
    """A network that int8 breaks: its worst layers, and what keeping layers in float brings."""
    own = partial(quantize, task.model, task.calibration, preprocessing=task.preprocessing)
    losses = sorted(own(analysis=True).losses, key=lambda loss: loss.alone)
    rows = [[loss.layer, f"{loss.decibels or 0:.1f}", f"{loss.alone:.1f}"] for loss in losses[:WORST_LAYERS]]
    kept = own(equalize=True, keep="auto", at_least=KEPT_AGREEMENT).choice.keep
    return (
        f"\n{task.name} breaks. `--analyze` has the layers that cost most alone, of {len(losses)}:\n\n"
        + table(["layer", "dB of the layer", "dB of the outputs, alone"], rows)
        + f"\n`--equalize --keep auto --at-least {KEPT_AGREEMENT:.0%}` keeps {len(kept)} of them in float.\n"
    )


@click.command()
@click.option("--corpus", type=click.Path(path_type=Path), default=corpus_folder)
@click.option("--markdown", type=click.Path(path_type=Path), help="The page to write the tables into.")
def main(corpus: Path, markdown: Path | None) -> None:
    """Measure and print, or write into a page."""
    found: list[Any] = []
    with tempfile.TemporaryDirectory() as work:
        for task in tasks(corpus, Path(work)):
            click.echo(f"{task.name}, {task.kind}", err=True)
            found.append(measure(task))
        text = page(found) + broken_network(found[-1].task)
    if markdown is None:
        click.echo(text)
    else:
        write_measured(markdown, text)


if __name__ == "__main__":
    main()
