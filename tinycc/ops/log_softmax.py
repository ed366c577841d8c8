"""Logarithm of the softmax over the last axis, in TFLite's fixed output scale."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import INT8, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.integer_arithmetic import divide_by_power, exp_of_negative, requantize
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.patterns import dequantized, quantized
from tinycc.ops.room import Room
from tinycc.runtime_c.constants import constant

_MOST_CHANNELS = constant("TINYCC_LOG_SOFTMAX_MOST_CHANNELS")
# Differences are Q5.26; exponentials, from Q0.31, are summed in Q12.19.
_DIFFERENCE_BITS, _SUM_BITS = 5, 12
_OUTPUT = (1 / 16, 127)


@dataclass(frozen=True, eq=False)
class LogSoftmax(Operator):
    """x - log(sum(exp(x))) over the last axis of int8, with the scale 1/16 and the zero point 127."""

    kind: ClassVar[str] = "log_softmax"
    element_types: ClassVar[ElementTypes] = INT8

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(log_softmax(dequantize(x)))."""
        real = is_op("relax.nn.log_softmax")(dequantized(wildcard().has_dtype("int8")))
        return [FusionPattern("tinycc.log_softmax", quantized(real).has_dtype("int8"))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "LogSoftmax":
        """Read the quantizations; ValueError for another axis, another output, or too many elements."""
        call = composite.call("relax.nn.log_softmax")
        source, output = composite.tensor(call.args[0]), composite.result()
        if int(call.attrs.axis) not in (-1, len(source.shape) - 1):
            raise ValueError(f"the logarithm of a softmax over axis {call.attrs.axis} is not supported")
        if (output.scale, output.zero_point) != _OUTPUT:
            raise ValueError("the logarithm of a softmax has the scale 1/16 and the zero point 127")
        if source.channels > _MOST_CHANNELS:
            raise ValueError(f"softmax over {source.channels} elements, at most {_MOST_CHANNELS} can be")
        return cls((source,), (output,))

    @property
    def factor(self) -> tuple[int, int]:
        """Multiplier and shift from differences to Q5.26."""
        real = self.inputs[0].real_scale * 2.0 ** (31 - _DIFFERENCE_BITS)
        return quantize_multiplier(min(real, 2.0**31 - 1))

    @property
    def inverse(self) -> tuple[int, int]:
        """And back."""
        multiplier, shift = self.factor
        return quantize_multiplier(2.0 ** (31 - shift) / multiplier)

    @property
    def least_difference(self) -> int:
        """That Q5.26 holds."""
        _, shift = self.factor
        return -math.floor((2**_DIFFERENCE_BITS - 1) * 2.0 ** (31 - _DIFFERENCE_BITS - shift))

    @cached_property
    def exponentials(self) -> np.ndarray:
        """Of the differences 0, -1 ... down to the last that counts, int32 in Q12.19."""
        steps = range(min(-self.least_difference, 255) + 1)
        scaled = (requantize(-step, *self.factor) for step in steps)
        values = [divide_by_power(exp_of_negative(value, _DIFFERENCE_BITS), _SUM_BITS) for value in scaled]
        return np.trim_zeros(np.array(values, np.int32), "b")


class PortableLogSoftmax(Kernel[LogSoftmax]):
    """On any core."""

    def call(self, view: LogSoftmax) -> FlatCall:
        """One row of pixels."""
        source, output = view.inputs[0], view.outputs[0]
        (multiplier, shift), (inverse_multiplier, inverse_shift) = view.factor, view.inverse
        return FlatCall(
            header="log_softmax.h",
            function="tinycc_log_softmax_int8",
            struct="tinycc_log_softmax",
            shape={"channels": source.channels},
            data={
                "exponentials": view.exponentials,
                "most_below": view.exponentials.size - 1,
                "multiplier": multiplier,
                "shift": shift,
                "inverse_multiplier": inverse_multiplier,
                "inverse_shift": inverse_shift,
                "least_difference": view.least_difference,
            },
            inputs=(source.elements,),
            columns=source.elements // source.channels,
            elements=output.elements,
        )

    def overlap(self, view: LogSoftmax, index: int) -> int:
        """In place."""
        return 0


ROOM = Room(LogSoftmax, (PortableLogSoftmax(),))
