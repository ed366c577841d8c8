"""Elementwise division."""

from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import INT8, ElementTypes
from tinycc.ops.composite import Composite
from tinycc.ops.elementwise import Elementwise, ElementwiseKernel, elementwise_call
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.kernel_call import FlatCall, RowCall
from tinycc.ops.patterns import activated, dequantized, quantized
from tinycc.ops.room import Room


@dataclass(frozen=True, eq=False)
class Divide(Elementwise):
    """a / b on int8 tensors, each with its own scale."""

    kind: ClassVar[str] = "divide"
    element_types: ClassVar[ElementTypes] = INT8

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(dequantize(a) / dequantize(b)))."""
        quotient = is_op("relax.divide")(dequantized(), dequantized())
        return [FusionPattern("tinycc.divide", quantized(activated(quotient)))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Divide":
        """Read the operands and their scales."""
        return cls(**cls.fields(composite, "relax.divide"))


class PortableDivide(ElementwiseKernel[Divide]):
    """On any core."""

    def call(self, view: Divide) -> FlatCall | RowCall:
        """A row of quotients."""
        a, b = view.inputs
        output = view.outputs[0]
        multiplier, shift = quantize_multiplier(a.real_scale / (b.real_scale * output.real_scale))
        return elementwise_call(
            view,
            "divide",
            {
                "a_zero_point": a.zero_point,
                "b_zero_point": b.zero_point,
                "output_zero_point": output.zero_point,
                "multiplier": multiplier,
                "shift": shift,
                "output_min": view.output_range[0],
                "output_max": view.output_range[1],
            },
        )


ROOM = Room(Divide, (PortableDivide(),))
