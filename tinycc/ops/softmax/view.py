"""What a softmax over the last axis is, how it is found and read."""

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
from tvm import relax
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.errors import UnsupportedError
from tinycc.ops.base import INT8_OR_INT16, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import INTEGER_RANGE, quantize_multiplier
from tinycc.ops.integer_arithmetic import exp_of_negative, requantize
from tinycc.ops.patterns import dequantized, quantized
from tinycc.ops.tensor import Tensor

# Exponentials are summed in Q12.19, so that this many fit.
_MOST_CHANNELS = 4096
# Differences are exponentiated in Q5.26: down to -31.
_DIFFERENCE_BITS, _DIFFERENCE_FRACTION_BITS = 5, 26
# Half a step of the sum, and less than half a step of any result.
_LEAST_EXPONENTIAL = 2**11


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
    def float_patterns(cls) -> list[FusionPattern]:
        """softmax(x)."""
        return [FusionPattern("tinycc.softmax", is_op("relax.nn.softmax")(wildcard().has_dtype("float32")))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Softmax":
        """Read both quantizations; UnsupportedError for another axis or other types."""
        return cls(*tensors_of(composite, composite.call("relax.nn.softmax").args[0]))

    @property
    def result_bits(self) -> int:
        """Fractional bits of the result before it is requantized."""
        source, output = self.inputs[0], self.outputs[0]
        if source.dtype == "int16":
            return 15
        is_coarse = output.dtype == "int8" and (output.scale, output.zero_point) == (2.0**-8, -128)
        return 8 if is_coarse else 16

    @property
    def is_exact(self) -> bool:
        """Whether the output's scale and zero point are those of the result."""
        least = INTEGER_RANGE[self.outputs[0].dtype][0]
        return self.output_factor == (2**30, 1) and self.outputs[0].zero_point == least

    @property
    def output_factor(self) -> tuple[int, int]:
        """Multiplier and shift from the result to the output's scale."""
        return quantize_multiplier(2.0**-self.result_bits / self.outputs[0].real_scale)

    @property
    def input_factor(self) -> tuple[int, int]:
        """Multiplier and shift from differences of int8 to Q5.26."""
        return quantize_multiplier(
            min(self.inputs[0].real_scale * 2.0**_DIFFERENCE_FRACTION_BITS, 2.0**31 - 1)
        )

    @cached_property
    def exponentials(self) -> np.ndarray:
        """Of the differences 0, -1, ... that count, int32 in Q0.31.

        The last one is the last that is more than half a step of the sum; in TFLite the least is -31 / scale.
        """
        multiplier, shift = self.input_factor
        largest = (2**_DIFFERENCE_BITS - 1) * 2.0 ** (_DIFFERENCE_FRACTION_BITS - shift)
        scaled = (requantize(-step, multiplier, shift) for step in range(int(min(largest, 255.0)) + 1))
        values = np.array([exp_of_negative(value, _DIFFERENCE_BITS) for value in scaled], np.int32)
        return values[: int(np.flatnonzero(values >= _LEAST_EXPONENTIAL)[-1]) + 1]

    @property
    def is_tabled(self) -> bool:
        """Whether exponentials are looked up: where that saves one for each byte of the table."""
        multiplier, shift = self.input_factor
        is_tiny = shift < 0 or multiplier == 0
        return is_tiny or self.inputs[0].elements >= self.exponentials.nbytes


def tensors_of(composite: Composite, operand: relax.Expr) -> tuple[tuple[Tensor], tuple[Tensor]]:
    """Input and output of a softmax of `operand`; UnsupportedError for another axis or other types."""
    axis = composite.call("relax.nn.softmax").attrs.axis
    source, output = composite.tensor(operand), composite.result()
    if int(axis) not in (-1, len(source.shape) - 1):
        raise UnsupportedError(f"softmax of {source} over axis {axis}, only the last is supported")
    if source.dtype == output.dtype == "float32":
        return (source,), (output,)
    if (source.dtype, output.dtype) not in (("int8", "int8"), ("int8", "int16"), ("int16", "int16")):
        raise UnsupportedError(f"softmax from {source.dtype} to {output.dtype} is not supported")
    if source.channels > _MOST_CHANNELS:
        raise UnsupportedError(f"softmax over {source.channels} elements, at most {_MOST_CHANNELS} can be")
    return (source,), (output,)
