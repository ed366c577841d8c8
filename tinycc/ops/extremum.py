"""Elementwise maximum and minimum."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops.composite import Composite
from tinycc.ops.elementwise import Elementwise, ElementwiseKernel, elementwise_call
from tinycc.ops.kernel_call import FlatCall, RowCall
from tinycc.ops.patterns import activated, dequantized, quantized
from tinycc.ops.room import Room


def _one_scale(context: PatternCheckContext) -> bool:
    """TFLite compares the integers as they are."""
    ends = [context.annotated_expr[name] for name in ("a", "b", "result")]
    values = {tuple(float(tvm_adapter.constant_value(part)) for part in end.args[1:3]) for end in ends}
    return len(values) == 1


@dataclass(frozen=True, eq=False)
class Extremum(Elementwise):
    """The larger or the smaller of a and b, int8 or int16 tensors of one scale."""

    is_maximum: bool
    kind: ClassVar[str] = "extremum"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(maximum(dequantize(a), dequantize(b)))), and the same with minimum."""
        patterns = []
        for name in ("relax.maximum", "relax.minimum"):
            a, b = dequantized(), dequantized()
            result = quantized(activated(is_op(name)(a, b)))
            annotations = {"a": a, "b": b, "result": result}
            patterns.append(FusionPattern("tinycc.extremum", result, annotations, _one_scale))
        return patterns

    @classmethod
    def from_composite(cls, composite: Composite) -> "Extremum":
        """Read the operands."""
        is_maximum = composite.has("relax.maximum")
        operator = "relax.maximum" if is_maximum else "relax.minimum"
        return cls(**cls.fields(composite, operator), is_maximum=is_maximum)

    @property
    def combined(self) -> Callable[[int, int], int]:
        """All have one zero point."""
        return max if self.is_maximum else min

    def describe(self) -> str:
        """Which of the two."""
        return "maximum" if self.is_maximum else "minimum"


class PortableExtremum(ElementwiseKernel[Extremum]):
    """On any core."""

    def call(self, view: Extremum) -> FlatCall | RowCall:
        """A comparison of integers."""
        return elementwise_call(
            view,
            "extremum",
            {
                "is_maximum": int(view.is_maximum),
                "output_min": view.output_range[0],
                "output_max": view.output_range[1],
            },
        )


ROOM = Room(Extremum, (PortableExtremum(),))
