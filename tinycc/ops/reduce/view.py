"""What a mean or sum over any dimensions is, how it is found and read."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import INT8, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import INTEGER_RANGE, quantize_multiplier
from tinycc.ops.patterns import activated, dequantized, quantized


@dataclass(frozen=True, eq=False)
class Reduce(Operator):
    """Mean or sum of an int8 or float32 tensor over `axes`.

    bounds: clamp of the result, of integers where it is quantized.
    """

    axes: tuple[int, ...]
    is_mean: bool
    bounds: tuple[float, float]

    kind: ClassVar[str] = "reduce"
    element_types: ClassVar[ElementTypes] = INT8

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(mean(dequantize(x)))), and the same with a sum."""
        return [
            FusionPattern("tinycc.reduce", quantized(activated(is_op(name)(dequantized()))))
            for name in ("relax.mean", "relax.sum")
        ]

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """activation(mean(x)), and the same with a sum."""
        return [
            FusionPattern("tinycc.reduce", activated(is_op(name)(wildcard().has_dtype("float32"))))
            for name in ("relax.mean", "relax.sum")
        ]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Reduce":
        """Read the axes; none means all."""
        is_mean = composite.has("relax.mean")
        call = composite.call("relax.mean" if is_mean else "relax.sum")
        source, output = composite.tensor(call.args[0]), composite.result()
        rank = len(source.shape)
        axes = range(rank) if call.attrs.axis is None else (int(axis) % rank for axis in call.attrs.axis)
        return cls((source,), (output,), tuple(sorted(axes)), is_mean, composite.output_range())

    @property
    def output_range(self) -> tuple[int, int]:
        """Clamp of the result, where that is of integers."""
        return int(self.bounds[0]), int(self.bounds[1])

    @property
    def count(self) -> int:
        """How many elements make one result."""
        return int(np.prod([self.inputs[0].shape[axis] for axis in self.axes]))

    def requantization(self) -> tuple[int, int]:
        """Multiplier and shift; a mean's is divided by the count in integers, as TFLite does."""
        source, output = self.inputs[0], self.outputs[0]
        multiplier, shift = quantize_multiplier(source.real_scale / output.real_scale)
        if self.is_mean:
            widening = min(self.count.bit_length() - 1, 32, 31 + shift)
            multiplier = (multiplier << widening) // self.count
            shift -= widening
        return multiplier, shift

    @cached_property
    def strides(self) -> dict[str, int]:
        """The kernel's shape: two kept and two reduced dimensions; ValueError where there are more."""
        source = self.inputs[0]
        kept = _runs(source.shape, [axis for axis in range(len(source.shape)) if axis not in self.axes])
        reduced = _runs(source.shape, list(self.axes))
        shape: dict[str, int] = {}
        for name, runs in (("kept", kept), ("reduced", reduced)):
            if len(runs) > 2:
                raise ValueError(f"reducing axes {self.axes} of {source} takes more than two strides")
            for index, (size, stride) in enumerate([(1, 0)] * (2 - len(runs)) + runs):
                shape |= {f"{name}_size{index}": size, f"{name}_stride{index}": stride}
        return shape

    @property
    def neighbours(self) -> int:
        """How many elements side by side are all kept or all reduced; 0 where there are no strides."""
        try:
            shape = self.strides
        except ValueError:
            return 0
        return max(shape[f"{name}_size1"] * (shape[f"{name}_stride1"] == 1) for name in ("kept", "reduced"))

    @property
    def is_over_pixels(self) -> bool:
        """Whether all dimensions but the channels are reduced, and those are not."""
        shape = self.inputs[0].shape
        return all(
            (axis in self.axes) == (axis < len(shape) - 1) for axis, size in enumerate(shape) if size > 1
        )

    @property
    def is_clamped(self) -> int:
        """Whether the clamp is less than the element type, 0 or 1."""
        return int(self.output_range != INTEGER_RANGE["int8"])

    def describe(self) -> str:
        """What is reduced."""
        return f"{'mean' if self.is_mean else 'sum'} over {','.join(map(str, self.axes))}"


def _runs(shape: tuple[int, ...], axes: list[int]) -> list[tuple[int, int]]:
    """(size, stride) of these axes, neighbours that are one run of memory joined."""
    strides = np.append(np.cumprod(shape[::-1])[::-1][1:], 1).astype(int)
    runs: list[tuple[int, int]] = []
    for axis in axes:
        size, stride = shape[axis], int(strides[axis])
        if size == 1:
            continue
        if runs and runs[-1][1] == size * stride:
            runs[-1] = (runs[-1][0] * size, stride)
        else:
            runs.append((size, stride))
    return runs
