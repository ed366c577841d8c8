"""Mean and sum over any dimensions."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern

from tinycc.ops import dsp, helium
from tinycc.ops.base import INT8, PORTABLE, ElementTypes, KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import INTEGER_RANGE, activation_range, quantize_multiplier
from tinycc.ops.patterns import activated, dequantized, quantized
from tinycc.ops.pooling import MOST_TAPS, accumulator_bytes, suffix_of

# Elements that a kernel takes at once.
_VECTORS = {dsp.FEATURE: 4, helium.FEATURE: 8}


@dataclass(frozen=True, eq=False)
class Reduce(Operator):
    """Mean or sum of an int8 tensor over `axes`.

    output_range: clamp of the result.
    """

    axes: tuple[int, ...]
    is_mean: bool
    output_range: tuple[int, int]

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
    def from_composite(cls, composite: Composite) -> "Reduce":
        """Read the axes; none means all."""
        is_mean = composite.has("relax.mean")
        call = composite.call("relax.mean" if is_mean else "relax.sum")
        source, output = composite.tensor(call.args[0]), composite.result()
        rank = len(source.shape)
        axes = range(rank) if call.attrs.axis is None else (int(axis) % rank for axis in call.attrs.axis)
        bounds = activation_range(
            *composite.activation_bounds(), output.real_scale, output.zero_point, output.dtype
        )
        return cls((source,), (output,), tuple(sorted(axes)), is_mean, bounds)

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
    def _strides(self) -> dict[str, int]:
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

    def has_variant(self, feature: str) -> bool:
        """Helium and the DSP extension: a vector's worth of neighbours kept or reduced, not scaled up."""
        if feature not in _VECTORS:
            return False
        try:
            shape = self._strides
        except ValueError:
            return False
        neighbours = max(shape[f"{name}_size1"] * (shape[f"{name}_stride1"] == 1)
                         for name in ("kept", "reduced"))  # fmt: skip
        multiplier, shift = self.requantization()
        return neighbours >= _VECTORS[feature] and multiplier > 0 and shift <= 0

    def accumulating_kernel(self, height: int) -> KernelCall | None:
        """Sums over all pixels, row by row."""
        source, output = self.inputs[0], self.outputs[0]
        over_pixels = all(
            (axis in self.axes) == (axis < len(source.shape) - 1)
            for axis, size in enumerate(source.shape)
            if size > 1
        )
        if height != source.height or not over_pixels:
            return None
        variant = self.variant if self.count <= MOST_TAPS else PORTABLE
        suffix = suffix_of(variant)
        return KernelCall(
            header=f"accumulate{suffix}.h",
            function=f"tinycc_reduce_rows{suffix}_int8",
            struct=f"tinycc_reduce_rows{suffix}",
            shape={
                "rows": height,
                "width": source.width,
                "channels": source.channels,
                "is_clamped": self._is_clamped,
            },
            data=self._data(variant),
            windows=(RowWindow(input_rows=height, row_elements=source.width * source.channels),),
            rows=height,
            columns=1,
            row_elements=output.elements,
            accumulator_bytes=accumulator_bytes(source.channels, variant),
        )

    @property
    def _is_clamped(self) -> int:
        return int(self.output_range != INTEGER_RANGE["int8"])

    def _data(self, variant: str) -> dict[str, int | float | np.ndarray]:
        multiplier, shift = self.requantization()
        zero_point = self.outputs[0].zero_point
        data: dict[str, int] = {"multiplier": multiplier, "shift": shift}
        bounds = {"output_min": self.output_range[0], "output_max": self.output_range[1]}
        if variant == PORTABLE:
            data |= {"input_zero_point": self.inputs[0].zero_point, "output_zero_point": zero_point}
            return {**data, **bounds}
        data["offset"] = -self.count * self.inputs[0].zero_point
        if variant == helium.FEATURE:
            return {**data, **helium.range_fields(self)}
        # 2 * multiplier, modulo 2**32.
        data["multiplier"] = 2 * multiplier - (2**32 if multiplier >= 2**30 else 0)
        data["exponent"] = -data.pop("shift")
        return {**data, "output_zero_point": zero_point, **bounds}

    def kernel(self) -> KernelCall:
        """The whole tensor at once."""
        source, output = self.inputs[0], self.outputs[0]
        suffix = suffix_of(self.variant)
        return KernelCall(
            header=f"reduce{suffix}.h",
            function=f"tinycc_reduce{suffix}_{source.dtype}",
            struct=f"tinycc_reduce{suffix}",
            shape={**self._strides, "is_clamped": self._is_clamped},
            data=self._data(self.variant),
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=self._strides["kept_size0"],
            row_elements=output.elements,
        )

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
