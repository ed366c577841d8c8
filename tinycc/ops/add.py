"""Elementwise addition and subtraction."""

from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import KernelCall
from tinycc.ops.composite import Composite
from tinycc.ops.elementwise import Elementwise
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.patterns import activated, dequantized, quantized

# Bits by which TFLite widens inputs before it brings them to a common scale.
_LEFT_SHIFT = {"int8": 20, "int16": 15}


@dataclass(frozen=True, eq=False)
class Add(Elementwise):
    """a + sign * b on int8 or int16 tensors, each with its own scale.

    sign: 1 or -1.
    """

    sign: int
    kind: ClassVar[str] = "add"
    header: ClassVar[str] = "add.h"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(dequantize(a) + dequantize(b))), and the same with a difference."""
        return [
            FusionPattern("tinycc.add", quantized(activated(is_op(name)(dequantized(), dequantized()))))
            for name in ("relax.add", "relax.subtract")
        ]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Add":
        """Read the operands and their scales."""
        sign = 1 if composite.has("relax.add") else -1
        return cls(**cls.fields(composite, "relax.add" if sign == 1 else "relax.subtract"), sign=sign)

    def kernel(self) -> KernelCall:
        """Both inputs are brought to twice the larger of their scales, as TFLite does."""
        a, b = self.inputs
        output = self.outputs[0]
        left_shift = _LEFT_SHIFT[output.dtype]
        common = 2 * max(a.real_scale, b.real_scale)
        data: dict[str, int] = {
            "left_shift": left_shift,
            "sign": self.sign,
            "a_zero_point": a.zero_point,
            "b_zero_point": b.zero_point,
            "output_zero_point": output.zero_point,
            "output_min": self.output_range[0],
            "output_max": self.output_range[1],
        }
        factors = {
            "a": a.real_scale / common,
            "b": b.real_scale / common,
            "output": common / (2.0**left_shift * output.real_scale),
        }
        for name, factor in factors.items():
            data[f"{name}_multiplier"], data[f"{name}_shift"] = quantize_multiplier(factor)
        return self.elementwise_call("tinycc_add", "tinycc_add", dict(data))

    def describe(self) -> str:
        """Subtraction is told apart."""
        return "" if self.sign == 1 else "subtract"
