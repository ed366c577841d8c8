"""Softmax over the last axis."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern

from tinycc.errors import UnsupportedError
from tinycc.ops import helium
from tinycc.ops.base import INT8_OR_INT16, ElementTypes, KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.dsp import stored_multiplier
from tinycc.ops.fixed_point import INTEGER_RANGE, quantize_multiplier
from tinycc.ops.integer_arithmetic import exp_of_negative, requantize
from tinycc.ops.patterns import dequantized, quantized
from tinycc.ops.tensor import ITEM_BYTES

# Exponentials are summed in Q12.19, so that this many fit.
_MOST_CHANNELS = 4096
# Differences are exponentiated in Q5.26: down to -31.
_DIFFERENCE_BITS, _DIFFERENCE_FRACTION_BITS = 5, 26
# Exponentials of a pixel that are kept, see softmax.h.
_MOST_KEPT = 16
# Half a step of the sum, and less than half a step of any result.
_LEAST_EXPONENTIAL = 2**11
# int16 differences are looked up as 65535 steps of [-10, 0].
_TABLE_RANGE, _TABLE_STEPS = 10.0, 512

Data = dict[str, "int | float | np.ndarray"]


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

    def has_variant(self, feature: str) -> bool:
        """Helium: long pixels of int8 whose exponentials are looked up, to TFLite's output."""
        source = self.inputs[0]
        is_plain = source.dtype == "int8" and self._result_bits == 8 and self._is_tabled
        return feature == helium.FEATURE and is_plain and source.channels >= helium.CHANNELS

    def overlap_distance(self, index: int) -> int | None:
        """In place unless elements grow; then each element, or pixel, must stay behind the next read."""
        source, output = self.inputs[0], self.outputs[0]
        keeps = source.dtype == "int8" and not self._is_tabled and source.channels <= _MOST_KEPT
        together = source.channels if keeps else 1
        return (ITEM_BYTES[output.dtype] - ITEM_BYTES[source.dtype]) * (source.elements - together)

    def kernel(self) -> KernelCall:
        """One row of pixels."""
        source, output = self.inputs[0], self.outputs[0]
        types = f"{source.dtype}_{output.dtype}"
        shape = {"channels": source.channels}
        if self.variant == helium.FEATURE:
            return self._call("softmax_helium", "tinycc_softmax_helium_int8", shape, self._table())
        if source.dtype == "int16":
            return self._call("softmax_int16", f"tinycc_softmax_{types}", shape, self._wide_parameters())
        shape |= {
            "output_bits": self._result_bits,
            "requantized": int(not self._is_exact),
            "tabled": int(self._is_tabled),
        }
        return self._call("softmax", f"tinycc_softmax_{types}", shape, self._parameters())

    def _call(self, header: str, function: str, shape: dict[str, int], data: Data) -> KernelCall:
        """The call of a kernel, whose types are named after its header."""
        source, output = self.inputs[0], self.outputs[0]
        return KernelCall(
            header=f"{header}.h",
            function=function,
            struct=f"tinycc_{header}",
            shape=shape,
            data=data,
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

    @property
    def _is_exact(self) -> bool:
        """Whether the output's scale and zero point are those of the result."""
        least = INTEGER_RANGE[self.outputs[0].dtype][0]
        return self._output_factor == (2**30, 1) and self.outputs[0].zero_point == least

    @property
    def _output_factor(self) -> tuple[int, int]:
        """Multiplier and shift from the result to the output's scale."""
        return quantize_multiplier(2.0**-self._result_bits / self.outputs[0].real_scale)

    def _parameters(self) -> Data:
        """Of int8: a table of exponentials, or the factor from differences to Q5.26."""
        output_multiplier, output_shift = self._output_factor
        data: Data = {
            "output_multiplier": output_multiplier,
            "output_shift": output_shift,
            "output_zero_point": self.outputs[0].zero_point,
        }
        table = self._table()
        if self._is_tabled:
            return data | table
        multiplier, shift = self._input_factor
        return data | {
            "most_below": table["most_below"],
            "input_factor": stored_multiplier(multiplier),
            "input_shift": shift,
        }

    def _table(self) -> Data:
        """Of int8: the exponentials, and the last difference that has one."""
        return {"exponentials": self._exponentials, "most_below": len(self._exponentials) - 1}

    @property
    def _input_factor(self) -> tuple[int, int]:
        """Multiplier and shift from differences of int8 to Q5.26."""
        return quantize_multiplier(
            min(self.inputs[0].real_scale * 2.0**_DIFFERENCE_FRACTION_BITS, 2.0**31 - 1)
        )

    @cached_property
    def _exponentials(self) -> np.ndarray:
        """Of the differences 0, -1, ... that count, int32 in Q0.31.

        The last one is the last that is more than half a step of the sum; in TFLite the least is -31 / scale.
        """
        multiplier, shift = self._input_factor
        largest = (2**_DIFFERENCE_BITS - 1) * 2.0 ** (_DIFFERENCE_FRACTION_BITS - shift)
        scaled = (requantize(-step, multiplier, shift) for step in range(int(min(largest, 255.0)) + 1))
        values = np.array([exp_of_negative(value, _DIFFERENCE_BITS) for value in scaled], np.int32)
        return values[: int(np.flatnonzero(values >= _LEAST_EXPONENTIAL)[-1]) + 1]

    @property
    def _is_tabled(self) -> bool:
        """Whether exponentials are looked up: where that saves one for each byte of the table."""
        multiplier, shift = self._input_factor
        is_tiny = shift < 0 or multiplier == 0
        return is_tiny or self.inputs[0].elements >= self._exponentials.nbytes

    def _wide_parameters(self) -> Data:
        """Of int16: from differences to steps of the table, and the tables."""
        output_multiplier, output_shift = self._output_factor
        low, high = INTEGER_RANGE[self.outputs[0].dtype]
        multiplier, shift = quantize_multiplier(self.inputs[0].real_scale / (_TABLE_RANGE / 65535.0))
        return {
            "exponential": _table(np.exp, -_TABLE_RANGE, 0.0),
            "inverse": _table(lambda x: np.float32(1) / (np.float32(1) + x), 0.0, 1.0),
            "input_multiplier": multiplier,
            "input_shift": shift,
            "output_multiplier": output_multiplier,
            "output_shift": output_shift,
            "output_zero_point": self.outputs[0].zero_point,
            "output_min": low,
            "output_max": high,
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
