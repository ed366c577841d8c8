"""Elementwise squares of differences."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern

from tinycc.ops.composite import Composite
from tinycc.ops.elementwise import Elementwise, ElementwiseKernel, elementwise_call
from tinycc.ops.fixed_point import SQUARE_LEFT_SHIFT, square_multipliers
from tinycc.ops.integer_elementwise import squared_difference
from tinycc.ops.kernel_call import FlatCall, RowCall
from tinycc.ops.patterns import activated, dequantized, quantized
from tinycc.ops.room import Room


@dataclass(frozen=True, eq=False)
class SquaredDifference(Elementwise):
    """(a - b)^2 on int8 or int16 tensors, each with its own scale."""

    kind: ClassVar[str] = "squared_difference"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(square(dequantize(a) - dequantize(b))))."""
        square = is_op("relax.square")(is_op("relax.subtract")(dequantized(), dequantized()))
        return [FusionPattern("tinycc.squared_difference", quantized(activated(square)))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "SquaredDifference":
        """Read the operands and their scales."""
        return cls(**cls.fields(composite, "relax.subtract"))

    @property
    def scales(self) -> tuple[float, float, float]:
        """Of a, b and output."""
        (a, b), output = self.inputs, self.outputs[0]
        return a.real_scale, b.real_scale, output.real_scale

    @property
    def combined(self) -> Callable[[int, int], int]:
        """Square of the difference."""
        return squared_difference(self.scales)


class PortableSquaredDifference(ElementwiseKernel[SquaredDifference]):
    """On any core."""

    def call(self, view: SquaredDifference) -> FlatCall | RowCall:
        """Three requantizations for each element."""
        a, b = view.inputs
        output = view.outputs[0]
        left_shift = SQUARE_LEFT_SHIFT[output.dtype]
        data: dict[str, int] = {
            "left_shift": left_shift,
            "a_zero_point": a.zero_point,
            "b_zero_point": b.zero_point,
            "output_zero_point": output.zero_point,
            "output_min": view.output_range[0],
            "output_max": view.output_range[1],
        }
        for name, (multiplier, shift) in square_multipliers(view.scales, left_shift).items():
            data |= {f"{name}_multiplier": multiplier, f"{name}_shift": shift}
        return elementwise_call(view, "squared_difference", data)


ROOM = Room(SquaredDifference, (PortableSquaredDifference(),))
