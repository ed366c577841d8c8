"""Elementwise multiplication."""

from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import KernelCall
from tinycc.ops.composite import Composite
from tinycc.ops.elementwise import Elementwise
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.patterns import activated, dequantized, quantized


@dataclass(frozen=True, eq=False)
class Multiply(Elementwise):
    """a * b on int8 or int16 tensors, each with its own scale."""

    kind: ClassVar[str] = "multiply"
    header: ClassVar[str] = "multiply.h"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(dequantize(a) * dequantize(b)))."""
        product = is_op("relax.multiply")(dequantized(), dequantized())
        return [FusionPattern("tinycc.multiply", quantized(activated(product)))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Multiply":
        """Read the operands and their scales."""
        return cls(**cls.fields(composite, "relax.multiply"))

    def kernel(self) -> KernelCall:
        """One requantization of each product."""
        a, b = self.inputs
        output = self.outputs[0]
        multiplier, shift = quantize_multiplier(a.real_scale * b.real_scale / output.real_scale)
        return self.elementwise_call(
            "tinycc_multiply",
            "tinycc_multiply",
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
