"""Accuracy of torch networks after post-training quantization: float, torchao's quantizer, tinycc's in C.

    python -m benchmarks.quantization_torch [NETWORK ...]

torchao's is XNNPACKQuantizer with weights per channel and its histogram observer, run as a torch program;
tinycc's is `tinycc.torch.Quantizer` with each of its ranges, run as C on the host. Both are calibrated on the
same inputs. The p-value is McNemar's, exact, of the labels that one of the two alone gets right. Networks
without labelled data of their own are compared by how often the top class is that of the float network.
"""

import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from scipy.stats import binomtest
from torchao.quantization.pt2e.quantizer import Quantizer as TorchQuantizer
from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

import tinycc
from tests.tools.corpus import corpus_folder
from tinycc.quantization.pt2e import quantize_program
from tinycc.torch import Quantizer, Ranges

CALIBRATION = 200
SPOKEN_DIGITS = Path(__file__).parents[1] / "models" / "spoken_digits"


@dataclass(frozen=True)
class Task:
    """A trained network and what it is fed.

    calibration, inputs: [N, channels, height, width]. labels: [N], or None.
    """

    network: torch.nn.Module
    calibration: torch.Tensor
    inputs: torch.Tensor
    labels: np.ndarray | None


def _corpus_networks() -> Any:
    """The definitions beside the weights in the corpus."""
    path = corpus_folder() / "torch" / "tiny_models.py"
    spec = importlib.util.spec_from_file_location("tiny_models", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _images(name: str, count: int, size: int) -> torch.Tensor:
    """CIFAR-10 images, 0 ... 255, enlarged to `size` pixels where that is not theirs."""
    with np.load(corpus_folder() / "data" / "cifar10_jpeg_subset.npz") as data:
        images = torch.from_numpy(data[name][:count]).permute(0, 3, 1, 2).float()
    return torch.nn.functional.interpolate(images, (size, size), mode="bilinear") if size != 32 else images


def resnet8() -> Task:
    """MLPerf Tiny's image classification, on the 2,000 test images."""
    networks = _corpus_networks()
    with np.load(corpus_folder() / "data" / "cifar10_jpeg_subset.npz") as data:
        labels = data["y_test"].astype(np.int64)
    network = networks.load_npz(networks.ResNet8(), corpus_folder() / "torch" / "mlperf_ic_resnet8.npz")
    return Task(network, _images("x_train", CALIBRATION, 32), _images("x_test", 2000, 32), labels)


def mobilenet_v1() -> Task:
    """MLPerf Tiny's person detector, on CIFAR-10 images, for which it has no labels."""
    networks = _corpus_networks()
    network = networks.load_npz(networks.MobileNetV1(), corpus_folder() / "torch" / "mlperf_vww_mbv1.npz")
    return Task(network, _images("x_train", CALIBRATION, 96) / 255, _images("x_test", 200, 96) / 255, None)


def mcunet() -> Task:
    """MCUNet's classifier of 1,000 classes, 5 frames a second, likewise."""
    networks, folder = _corpus_networks(), corpus_folder() / "torch"
    network = networks.MBNet(networks.load_cfg(folder / "tt_mcunet-5fps.json"), bn=False)
    networks.load_npz(network, folder / "tt_mcunet-5fps.npz")
    inputs = [_images(name, count, 128) / 127.5 - 1 for name, count in (("x_train", 100), ("x_test", 200))]
    return Task(network, *inputs, None)


def spoken_digits() -> Task:
    """The network of models/spoken_digits, trained here for a few epochs, on its 300 held-out recordings."""
    sys.path.insert(0, str(SPOKEN_DIGITS))
    from train import Recordings, SpokenDigits  # beside its data, so no package

    torch.manual_seed(0)
    recordings = Recordings(corpus_folder() / "data" / "fsdd_8k_int16.npz")
    seen, held_out = recordings.split(None)
    features, labels = torch.from_numpy(recordings.features(seen)), torch.from_numpy(recordings.label[seen])
    network = SpokenDigits()
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3)
    for _ in range(6):
        for chosen in torch.randperm(len(labels)).split(64):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(features[chosen]), labels[chosen]).backward()
            optimizer.step()
    inputs = torch.from_numpy(recordings.features(held_out))
    return Task(network.eval(), features[:CALIBRATION], inputs, recordings.label[held_out])


TASKS: dict[str, Callable[[], Task]] = {
    "resnet8": resnet8,
    "spoken_digits": spoken_digits,
    "mobilenet_v1": mobilenet_v1,
    "mcunet": mcunet,
}


def run_in_torch(task: Task, quantizer: TorchQuantizer) -> np.ndarray:
    """Scores [N, classes] of the quantized program, in torch."""
    program = quantize_program(task.network, task.inputs[:1], task.calibration, quantizer).module()
    with torch.no_grad():
        return torch.cat([program(case) for case in task.inputs.split(1)]).numpy()


def run_in_c(task: Task, quantizer: TorchQuantizer) -> np.ndarray:
    """Scores [N, classes] of the C made of the quantized program."""
    compiled = tinycc.compile(
        quantize_program(task.network, task.inputs[:1], task.calibration, quantizer), schedule="whole"
    )
    [edge], [integers] = compiled.plan.edges.outputs, compiled.run([task.inputs[:, None].numpy()])
    scores = (integers.reshape(len(task.inputs), -1).astype(np.float64) - edge.zero_point) * edge.scale
    return np.asarray(scores)


def signal_to_noise(scores: np.ndarray, real: np.ndarray) -> float:
    """In decibels."""
    return float(10 * np.log10((real**2).sum() / ((scores - real) ** 2).sum()))


def mcnemar(first: np.ndarray, second: np.ndarray) -> float:
    """Of two columns that say what each gets right."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    both = only_first + only_second
    return float(binomtest(only_first, both).pvalue) if both else 1.0


def rows(task: Task) -> Iterator[tuple[str, np.ndarray]]:
    """The name of a way to compute the network, and its scores."""
    with torch.no_grad():
        yield "float", torch.cat([task.network(batch) for batch in task.inputs.split(100)]).numpy()
    config = get_symmetric_quantization_config(is_per_channel=True)
    yield "torchao XNNPACKQuantizer", run_in_torch(task, XNNPACKQuantizer().set_global(config))
    for ranges in get_args(Ranges):
        yield f"tinycc, {ranges}", run_in_c(task, Quantizer(ranges=ranges))


def main(names: list[str]) -> None:
    """Print a table for each network."""
    warnings.simplefilter("ignore")
    for name in names or TASKS:
        task = TASKS[name]()
        print(f"\n{name}, {len(task.inputs)} inputs")
        print("| | top-1 | as float | signal to noise | p against float | p against torchao |")
        print("|---|---|---|---|---|---|")
        real, right = None, []
        for way, scores in rows(task):
            real = scores if real is None else real
            top = scores.argmax(1)
            cells = ["", f"{(top == real.argmax(1)).mean():.2%}"]
            cells.append(f"{signal_to_noise(scores, real):.1f} dB" if way != "float" else "")
            if task.labels is not None:
                right.append(top == task.labels)
                cells[0] = f"{right[-1].mean():.2%}"
                cells += [f"{mcnemar(right[-1], other):.2f}" for other in right[:2] if other is not right[-1]]
            print(f"| {way} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
