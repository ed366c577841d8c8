"""Torch operators one at a time between quantize and dequantize, without a quantizer: as torch has them."""

from __future__ import annotations

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
