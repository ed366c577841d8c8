"""Transfer on images: a network like MobileNetV2 that knows five classes of CIFAR-10 learns the others."""

from pathlib import Path

import torch
import tvm
from torch import nn
from torch.fx.experimental.optimization import fuse

from benchmarks.int4_training import Data as Labelled
from benchmarks.int4_training import images, train
from benchmarks.transfer_task import Task, pretrained
from tinycc.frontend.load import load_model
from tinycc.quantization.pt2e import quantize_program
from tinycc.training.simulation import Data

CLASSES = 5
PRETRAINING_EPOCHS, PRETRAINING_RATE = 15, 3e-3
CALIBRATION = 200
# Of all ten classes; half are of the new ones.
IMAGES = 4_000


def unit(inputs: int, outputs: int, size: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Convolution, batch norm, ReLU6."""
    convolution = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU6()]


class Block(nn.Sequential):
    """An inverted residual: widened three times, filtered, narrowed without an activation; a skip path."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        wide = 3 * inputs
        super().__init__(
            *unit(inputs, wide, 1), *unit(wide, wide, 3, stride, wide), *unit(wide, outputs, 1)[:2]
        )
        self.has_skip = inputs == outputs and stride == 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [N, inputs, H, W] to [N, outputs, H', W']."""
        narrowed: torch.Tensor = super().forward(x)
        return x + narrowed if self.has_skip else narrowed


def network() -> nn.Sequential:
    """Of 1.6 million multiply-accumulates: [N, 3, 32, 32] to [N, 5]."""
    blocks = [Block(16, 16), Block(16, 24, 2), Block(24, 24), Block(24, 32, 2), Block(32, 32), Block(32, 48)]
    head = nn.Linear(48, CLASSES)
    return nn.Sequential(*unit(3, 16, 3, 2), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)


def task(cache: Path, device: str) -> Task:
    """Classes 0 to 4 are known, 5 to 9 to be learned.

    cache: a folder for the weights that know the former.
    """
    torch.manual_seed(0)
    knowing = network()
    pretrained(knowing, cache / "transfer_images.pt", _train)
    floating = fuse(knowing.eval())
    old, new = _halves(images("cifar10_jpeg_train50k", IMAGES))
    _, testing = _halves(images("cifar10_jpeg_test9k"))
    every = torch.arange(len(new[1]))
    return Task(
        floating,
        quantized(floating, old[0]),
        learning=_cases(new, every % 5 != 0),
        choosing=_cases(new, every % 5 == 0),
        testing=_cases(testing, torch.arange(len(testing[1])) % 2 == 0),
        rates=(0.03, 0.1),
        rates_of_parts=(0.1, 0.3, 1.0),
        batch=16,
        epochs=4,
        contributions={
            "path": cache / "transfer_images_contributions.json",
            "seeds": (0,),
            "shares": (0.25, 1.0),
            "epochs": 1,
        },
        device=device,
    )


def quantized(floating: nn.Module, known: torch.Tensor) -> tvm.IRModule:
    """With ranges of some of the images that it knows."""
    return load_model(quantize_program(floating, known[:1], known[:: len(known) // CALIBRATION]))


def _train(knowing: nn.Module) -> None:
    old, _ = _halves(images("cifar10_jpeg_train50k"))
    train(knowing.train(), old, PRETRAINING_EPOCHS, PRETRAINING_RATE)


def _halves(data: Labelled) -> tuple[Labelled, Labelled]:
    """Of the first classes, and of the others, called 0, 1 ... likewise."""
    pixels, labels = data
    is_old = labels < CLASSES
    return (pixels[is_old], labels[is_old]), (pixels[~is_old], labels[~is_old] - CLASSES)


def _cases(data: Labelled, chosen: torch.Tensor) -> Data:
    return Data([data[0][chosen].numpy()], data[1][chosen].numpy())
