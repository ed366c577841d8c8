"""Elementwise division."""

from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import INT8, ElementTypes, KernelCall
from tinycc.ops.composite import Composite
from tinycc.ops.elementwise import Elementwise
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.patterns import activated, dequantized, quantized


@dataclass(frozen=True, eq=False)
class Divide(Elementwise):
    """a / b on int8 tensors, each with its own scale."""

    kind: ClassVar[str] = "divide"
    element_types: ClassVar[ElementTypes] = INT8
    header: ClassVar[str] = "divide.h"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(dequantize(a) / dequantize(b)))."""
        quotient = is_op("relax.divide")(dequantized(), dequantized())
        return [FusionPattern("tinycc.divide", quantized(activated(quotient)))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Divide":
        """Read the operands and their scales."""
        return cls(**cls.fields(composite, "relax.divide"))

    def kernel(self) -> KernelCall:
        """A row of quotients."""
        a, b = self.inputs
        output = self.outputs[0]
        multiplier, shift = quantize_multiplier(a.real_scale / (b.real_scale * output.real_scale))
        return self.elementwise_call(
            "tinycc_divide",
            "tinycc_divide",
            {
                "a_zero_point": a.zero_point,
                "b_zero_point": b.zero_point,
                "output_zero_point": output.zero_point,
                "multiplier": multiplier,
                "shift": shift,
                "output_min": self.output_range[0],
                "output_max": self.output_range[1],
            },
        )
