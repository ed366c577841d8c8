"""Softmax over the last axis."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern

from tinycc.errors import UnsupportedError
from tinycc.ops.base import INT8_OR_INT16, ElementTypes, KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import INTEGER_RANGE, quantize_multiplier
from tinycc.ops.patterns import dequantized, quantized
from tinycc.ops.tensor import ITEM_BYTES

# Exponentials are summed in Q12.19, so that this many fit.
_MOST_CHANNELS = 4096
# Differences are exponentiated in Q5.26: down to -31.
_DIFFERENCE_BITS, _DIFFERENCE_FRACTION_BITS = 5, 26
# int16 differences are looked up as 65535 steps of [-10, 0].
_TABLE_RANGE, _TABLE_STEPS = 10.0, 512


@dataclass(frozen=True, eq=False)
class Softmax(Operator):
    """exp(x) / sum(exp(x)) over the last axis: int8 to int8 or int16, or int16 to int16.

    TFLite fixes the output's scale: 2**-8 and zero point -128 for int8, 2**-16 and -32768 for int16 from
    int8, 2**-15 and 0 for int16 from int16. For any other the finer of these results is requantized.
    """

    kind: ClassVar[str] = "softmax"
    element_types: ClassVar[ElementTypes] = INT8_OR_INT16 | {("int8", "int16")}

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(softmax(dequantize(x)))."""
        return [FusionPattern("tinycc.softmax", quantized(is_op("relax.nn.softmax")(dequantized())))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Softmax":
        """Read both quantizations; UnsupportedError for another axis or other types."""
        call = composite.call("relax.nn.softmax")
        source, output = composite.tensor(call.args[0]), composite.result()
        if int(call.attrs.axis) not in (-1, len(source.shape) - 1):
            raise UnsupportedError(
                f"softmax of {source} over axis {call.attrs.axis}, only the last is supported"
            )
        if (source.dtype, output.dtype) not in (("int8", "int8"), ("int8", "int16"), ("int16", "int16")):
            raise UnsupportedError(f"softmax from {source.dtype} to {output.dtype} is not supported")
        if source.channels > _MOST_CHANNELS:
            raise UnsupportedError(
                f"softmax over {source.channels} elements, at most {_MOST_CHANNELS} can be"
            )
        return cls((source,), (output,))

    def overlap_distance(self, index: int) -> int | None:
        """In place unless elements grow; then each element must stay behind the next read."""
        source, output = self.inputs[0], self.outputs[0]
        return (ITEM_BYTES[output.dtype] - ITEM_BYTES[source.dtype]) * (source.elements - 1)

    def kernel(self) -> KernelCall:
        """One row of pixels."""
        source, output = self.inputs[0], self.outputs[0]
        is_wide = source.dtype == "int16"
        struct = "tinycc_softmax_int16" if is_wide else "tinycc_softmax"
        shape = {"channels": source.channels}
        if not is_wide:
            shape["output_bits"] = self._result_bits
        return KernelCall(
            header="softmax_int16.h" if is_wide else "softmax.h",
            function=f"tinycc_softmax_{source.dtype}_{output.dtype}",
            struct=struct,
            shape=shape,
            data=(self._wide_parameters() if is_wide else self._parameters()) | self._output_parameters(),
            windows=(RowWindow.whole(source),),
            rows=1,
            is_flat=True,
            columns=source.elements // source.channels,
            row_elements=output.elements,
        )

    @property
    def _result_bits(self) -> int:
        """Fractional bits of the result before it is requantized."""
        source, output = self.inputs[0], self.outputs[0]
        if source.dtype == "int16":
            return 15
        is_coarse = output.dtype == "int8" and (output.scale, output.zero_point) == (2.0**-8, -128)
        return 8 if is_coarse else 16

    def _output_parameters(self) -> dict[str, int | float | np.ndarray]:
        """From the result to the output's scale; multiplying by one where it is TFLite's."""
        output = self.outputs[0]
        multiplier, shift = quantize_multiplier(2.0**-self._result_bits / output.real_scale)
        low, high = INTEGER_RANGE[output.dtype]
        return {
            "output_multiplier": multiplier,
            "output_shift": shift,
            "output_zero_point": output.zero_point,
            "output_min": low,
            "output_max": high,
        }

    def _parameters(self) -> dict[str, int | float | np.ndarray]:
        """Of int8: from differences to Q5.26."""
        factor = min(self.inputs[0].real_scale * 2.0**_DIFFERENCE_FRACTION_BITS, 2.0**31 - 1)
        multiplier, shift = quantize_multiplier(factor)
        largest = (2**_DIFFERENCE_BITS - 1) * 2.0 ** (_DIFFERENCE_FRACTION_BITS - shift)
        return {
            "input_multiplier": multiplier,
            "input_shift": shift,
            # int8 values never differ by more than 255
            "least_difference": -int(min(largest, 256.0)),
        }

    def _wide_parameters(self) -> dict[str, int | float | np.ndarray]:
        """Of int16: from differences to steps of the table, and the tables."""
        multiplier, shift = quantize_multiplier(self.inputs[0].real_scale / (_TABLE_RANGE / 65535.0))
        return {
            "exponential": _table(np.exp, -_TABLE_RANGE, 0.0),
            "inverse": _table(lambda x: np.float32(1) / (np.float32(1) + x), 0.0, 1.0),
            "input_multiplier": multiplier,
            "input_shift": shift,
        }


def _table(function: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> np.ndarray:
    """A function to [-1, 1] at 512 steps and the end, int16 [513] in Q15, as TFLite samples it.

    Each sample is moved by half of the error that interpolation has in the middle of its step. All in
    float32.
    """
    unit, two = np.float32(2**15), np.float32(2)
    step = (np.float32(high) - np.float32(low)) / np.float32(_TABLE_STEPS)
    points = np.float32(low) + np.arange(_TABLE_STEPS + 1, dtype=np.float32) * step
    exact = function(points) * unit
    samples = _rounded(exact)
    middle = _rounded(function(points[:-1] + step / two) * unit)
    interpolated = _rounded((exact[1:] + samples[:-1]) / two)
    samples[:-1] -= _rounded((interpolated - middle) / two)
    return np.clip(samples, -32768, 32767).astype(np.int16)


def _rounded(values: np.ndarray) -> np.ndarray:
    """To the nearest integer, halves away from zero."""
    return np.copysign(np.floor(np.abs(values) + np.float32(0.5)), values)
