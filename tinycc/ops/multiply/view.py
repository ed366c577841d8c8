"""What a product of two tensors is, how it is found and read."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern

from tinycc.ops.composite import Composite
from tinycc.ops.elementwise import Elementwise
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.integer_elementwise import product
from tinycc.ops.patterns import activated, dequantized, quantized


@dataclass(frozen=True, eq=False)
class Multiply(Elementwise):
    """a * b on int8 or int16 tensors, each with its own scale."""

    kind: ClassVar[str] = "multiply"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(dequantize(a) * dequantize(b)))."""
        product = is_op("relax.multiply")(dequantized(), dequantized())
        return [FusionPattern("tinycc.multiply", quantized(activated(product)))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Multiply":
        """Read the operands and their scales."""
        return cls(**cls.fields(composite, "relax.multiply"))

    @property
    def combined(self) -> Callable[[int, int], int]:
        """Product."""
        (a, b), output = self.inputs, self.outputs[0]
        return product((a.real_scale, b.real_scale, output.real_scale))

    @cached_property
    def multiplier(self) -> tuple[int, int]:
        """Multiplier and shift of products."""
        a, b = self.inputs
        return quantize_multiplier(a.real_scale * b.real_scale / self.outputs[0].real_scale)
