"""Torch operators one at a time between quantize and dequantize, without a quantizer: as torch has them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import tinycc

pytest.importorskip("torch")
pytest.importorskip("torchao.quantization.pt2e")

import torch
from torch import nn
from torch.nn import functional as F

from tests.frontend.torch_tools import DEQUANTIZE, QUANTIZE

SCALE, ZERO_POINT = 0.125, 3


def on_grid(x: torch.Tensor) -> torch.Tensor:
    """Real numbers through int8."""
    scheme = (SCALE, ZERO_POINT, -128, 127, torch.int8)
    return DEQUANTIZE(QUANTIZE(x, *scheme), *scheme)


class Padded(nn.Module):
    """Each input padded in each way, on one scale."""

    def __init__(self, mode: str, widths: list[list[tuple[int, ...]]]) -> None:
        super().__init__()
        self.mode = mode
        self.widths = widths

    def forward(self, *inputs: torch.Tensor) -> list[torch.Tensor]:
        return [
            on_grid(F.pad(on_grid(x), widths, self.mode))
            for x, own in zip(inputs, self.widths, strict=True)
            for widths in own
        ]


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_padding(mode: str) -> None:
    """Of the last axis of three, of the last two of four; negative widths cut."""
    shapes = [(1, 3, 7), (1, 3, 5, 6)]
    widths = [[(4, 2), (-2, 4), (-2, -1)], [(2, 1, 4, 0), (5, 0, 0, 0), (1, -2, -1, 3)]]
    inputs = tuple(torch.randn(shape, generator=torch.Generator().manual_seed(0)) for shape in shapes)
    program = torch.export.export(Padded(mode, widths), inputs)
    compiled = tinycc.compile(program)
    results = compiled.run([on_grid(x)[None].numpy() for x in inputs])
    for result, expected in zip(results, program.module()(*inputs), strict=True):
        np.testing.assert_array_equal(result[0], expected.numpy() / np.float32(SCALE) + ZERO_POINT)
    assert {step.operator.kind for step in compiled.plan.steps} <= {"pad", "strided_copy"}


IMAGE, LINE = (1, 4, 6, 5), (1, 4, 9)
INDEX = torch.tensor([3, 0, 0, 2])
SLOPES = torch.tensor([0.1, 0.25, -0.5, 1.5])
VARIANCES = torch.tensor([0.4, 1.0, 2.0, 0.1])


THREE, SPREADS = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([0.3, 2.0, 1.1])
WEIGHTS = torch.randn((3, 4, 3, 3), generator=torch.Generator().manual_seed(1)) / 4


def convolved(x: torch.Tensor) -> torch.Tensor:
    """A convolution whose result stays real."""
    scheme = (0.02, 0, -127, 127, torch.int8)
    return F.conv2d(x, DEQUANTIZE(QUANTIZE(WEIGHTS, *scheme), *scheme), padding=1)


# On an image, between quantize and dequantize.
FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "elu": lambda x: F.elu(x, 0.7),
    "selu": F.selu,
    "celu": lambda x: F.celu(x, 1.5),
    "gelu": F.gelu,
    "gelu by tanh": lambda x: F.gelu(x, approximate="tanh"),
    "silu": F.silu,
    "mish": F.mish,
    "softplus": lambda x: F.softplus(x, 2.0),
    "hardsigmoid": F.hardsigmoid,
    "exp": torch.exp,
    "log": lambda x: torch.log(x * x + 1),
    "rsqrt": lambda x: torch.rsqrt(x.abs() + 1),
    "power": lambda x: x**3,
    "negative": lambda x: -x,
    "sine": torch.sin,
    "floor": torch.floor,
    "erf": torch.erf,
    "a constant minus it": lambda x: 1.5 - x,
    "clamp that is upside down": lambda x: torch.clamp(x, 0.75, -0.5),
    "slope for each channel": lambda x: F.prelu(x, SLOPES),
    "slope for all channels": lambda x: F.prelu(x, SLOPES[:1]),
    "sigmoid of a convolution": lambda x: torch.sigmoid(convolved(x)),
    "batch norm of a convolution": lambda x: F.batch_norm(convolved(x), THREE, SPREADS, THREE, SPREADS),
    "batch norm": lambda x: F.batch_norm(x, SLOPES, VARIANCES),
    "layer norm": lambda x: F.layer_norm(x, (5,)),
    "convolution and sum": lambda x: convolved(x) + x[:, :3],
}
MOVEMENTS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "stack": lambda x: torch.stack([x, x.flip(3)], 2),
    "amax": lambda x: x.amax((2, 3)),
    "amin": lambda x: x.amin(1, keepdim=True),
    "max": lambda x: x.max(2).values,
    "unbind": lambda x: x.unbind(1)[2],
    "narrow": lambda x: x.narrow(2, 1, 3),
    "index select": lambda x: x.index_select(1, INDEX),
    "flip": lambda x: x.flip(2, 3),
    "roll": lambda x: x.roll((1, -2), (2, 3)),
    "roll of all": lambda x: x.roll(7),
    "repeat": lambda x: x.repeat(1, 2, 1, 3),
    "expand": lambda x: x[:, :, :1].expand(1, 4, 3, 5),
    "move": lambda x: x.movedim(1, -1),
    "shuffle of pixels": lambda x: F.pixel_shuffle(x, 2),
    "shuffle of channels": lambda x: F.channel_shuffle(x, 2),
    "pixels to channels": lambda x: F.pixel_unshuffle(x[:, :, :, :4], 2),
    "adaptive maximum": lambda x: F.adaptive_max_pool2d(x, (3, 1)),
    "greatest of all pixels": lambda x: F.adaptive_max_pool2d(x, 1),
    "nearest": lambda x: F.interpolate(x, scale_factor=2.0),
    "nearest of centres": lambda x: F.interpolate(x, (9, 7), mode="nearest-exact"),
}


class Each(nn.Module):
    """Each function of the input, quantized by a scale of its own where it computes."""

    def __init__(self, functions: list[Callable[[torch.Tensor], torch.Tensor]], moves: bool) -> None:
        super().__init__()
        self.functions = functions
        self.moves = moves

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        scale = SCALE if self.moves else SCALE / 4
        scheme = (scale, ZERO_POINT, -128, 127, torch.int8)
        return [DEQUANTIZE(QUANTIZE(each(on_grid(x)), *scheme), *scheme) for each in self.functions]


@pytest.mark.parametrize("moves", [True, False], ids=["movements", "functions"])
def test_operators(moves: bool) -> None:
    functions = MOVEMENTS if moves else FUNCTIONS
    x = on_grid(torch.randn(IMAGE, generator=torch.Generator().manual_seed(3)))
    program = torch.export.export(Each(list(functions.values()), moves), (x,))
    compiled = tinycc.compile(program)
    steps = {}
    for name, result, expected, edge in zip(
        functions,
        compiled.run([x[None].numpy()]),
        program.module()(x),
        compiled.plan.edges.outputs,
        strict=True,
    ):
        wanted = np.rint(expected.numpy() / np.float32(edge.scale)) + edge.zero_point
        steps[name] = int(np.abs(result[0] - wanted).max())
    assert {name: apart for name, apart in steps.items() if apart > (0 if moves else 1)} == {}
