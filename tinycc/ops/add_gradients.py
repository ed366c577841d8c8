"""The sum of two gradients of integers, whose exponents may differ."""

from dataclasses import dataclass
from typing import ClassVar

from tvm import relax

from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.gradient_integers import rounded_shift
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow
from tinycc.runtime_c.constants import constant

# A shift after which nothing is left of an int32.
_MOST = constant("TINYCC_GRADIENT_MOST_SHIFT")


@dataclass(frozen=True, eq=False)
class SumExponent(Operator):
    """The exponent of the sum of two gradients: one more than the greater, so that no sum overflows.

    inputs: the exponents of both, int32 [1]. outputs: int32 [1].
    offsets: of both, added to their exponents.
    """

    offsets: tuple[int, int]

    kind: ClassVar[str] = "sum_exponent"
    element_types: ClassVar[ElementTypes] = frozenset({("int32", "int32")})

    @classmethod
    def from_composite(cls, composite: Composite) -> "SumExponent":
        """Read what `sum_exponent` wrote."""
        inputs = tuple(map(composite.tensor, composite.function.params))
        return cls(inputs, (composite.result(),), _offsets(composite))


@dataclass(frozen=True, eq=False)
class AddGradients(Operator):
    """Both gradients, shifted to the exponent of their sum and rounded to nearest, halves up.

    inputs: two gradients of one shape, int32 or int16, the wider first; their exponents, and what
        `sum_exponent` made of these, int32 [1] each.
    outputs: int32 of their shape.
    offsets: see `SumExponent`.
    """

    offsets: tuple[int, int]

    kind: ClassVar[str] = "add_gradients"
    element_types: ClassVar[ElementTypes] = frozenset({("int32", "int32"), ("int16", "int32")})

    @classmethod
    def from_composite(cls, composite: Composite) -> "AddGradients":
        """Read what `add_gradients` wrote."""
        inputs = tuple(map(composite.tensor, composite.function.params))
        return cls(inputs, (composite.result(),), _offsets(composite))


def _offsets(composite: Composite) -> tuple[int, int]:
    a, b = composite.integers("offsets")
    return a, b


def sum_exponent(a: relax.Var, b: relax.Var, *, offsets: tuple[int, int]) -> relax.Function:
    """The composite function of a `SumExponent`."""

    def body(emit: Emit, a: relax.Var, b: relax.Var) -> relax.Expr:
        whole = [
            emit(relax.op.add(item, relax.const(offset, "int32")))
            for item, offset in zip((a, b), offsets, strict=True)
        ]
        return relax.op.add(emit(relax.op.maximum(*whole)), relax.const(1, "int32"))

    return write_composite(SumExponent.kind, {"a": a, "b": b}, body, {"offsets": list(offsets)})


def add_gradients(
    a: relax.Var,
    b: relax.Var,
    a_exponent: relax.Var,
    b_exponent: relax.Var,
    exponent: relax.Var,
    *,
    offsets: tuple[int, int],
) -> relax.Function:
    """The composite function of an `AddGradients`, whose docstring tells of the operands."""

    def body(emit: Emit, a: relax.Var, b: relax.Var, *exponents: relax.Var) -> relax.Expr:
        *own, exponent = exponents
        parts = []
        for values, before, offset in zip((a, b), own, offsets, strict=True):
            whole = emit(relax.op.add(before, relax.const(offset, "int32")))
            shift = emit(
                relax.op.minimum(emit(relax.op.subtract(exponent, whole)), relax.const(_MOST, "int32"))
            )
            parts.append(rounded_shift(emit, emit(relax.op.astype(values, "int32")), shift))
        return relax.op.add(*parts)

    operands = {"a": a, "b": b, "a_exponent": a_exponent, "b_exponent": b_exponent, "exponent": exponent}
    return write_composite(AddGradients.kind, operands, body, {"offsets": list(offsets)})


class PortableSumExponent(Kernel[SumExponent]):
    """On any core."""

    def call(self, view: SumExponent) -> RowCall:
        """A single number."""
        return RowCall(
            header="add_gradients.h",
            function="tinycc_sum_exponent",
            struct="tinycc_add_gradients",
            shape={"a_offset": view.offsets[0], "b_offset": view.offsets[1]},
            data={"zero": 0},
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=1,
            row_elements=1,
        )


class PortableAddGradients(Kernel[AddGradients]):
    """On any core."""

    def call(self, view: AddGradients) -> RowCall:
        """Element by element."""
        a, b = view.inputs[:2]
        return RowCall(
            header="add_gradients.h",
            function=f"tinycc_add_gradients_{a.dtype}_{b.dtype}",
            struct="tinycc_add_gradients",
            shape={"a_offset": view.offsets[0], "b_offset": view.offsets[1]},
            data={"zero": 0},
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=a.elements,
            row_elements=a.elements,
        )

    def overlap(self, view: AddGradients, index: int) -> int | None:
        """In place of either."""
        return 0 if index < 2 and view.inputs[index].dtype == "int32" else None


EXPONENT = Room(SumExponent, (PortableSumExponent(),))
ROOM = Room(AddGradients, (PortableAddGradients(),))
