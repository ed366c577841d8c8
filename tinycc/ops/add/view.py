"""What a sum or difference is, how it is found and read."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern

from tinycc.ops.composite import Composite
from tinycc.ops.elementwise import Elementwise
from tinycc.ops.fixed_point import SUM_LEFT_SHIFT, sum_multipliers
from tinycc.ops.integer_elementwise import sum_or_difference
from tinycc.ops.patterns import activated, dequantized, quantized


@dataclass(frozen=True, eq=False)
class Add(Elementwise):
    """a + sign * b on int8 or int16 tensors, each with its own scale.

    sign: 1 or -1.
    """

    sign: int
    kind: ClassVar[str] = "add"

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

    @property
    def combined(self) -> Callable[[int, int], int]:
        """Sum or difference."""
        (a, b), output = self.inputs, self.outputs[0]
        return sum_or_difference((a.real_scale, b.real_scale, output.real_scale), self.sign)

    @cached_property
    def multipliers(self) -> dict[str, tuple[int, int]]:
        """Multiplier and shift of both inputs and the output; the common scale is twice the larger one."""
        (a, b), output = self.inputs, self.outputs[0]
        scales = (a.real_scale, b.real_scale, output.real_scale)
        return sum_multipliers(scales, SUM_LEFT_SHIFT[output.dtype])

    def describe(self) -> str:
        """Subtraction is told apart."""
        return "" if self.sign == 1 else "subtract"
