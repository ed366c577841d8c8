"""The gradient before a function of one integer, by a table of its derivatives."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import FLOAT, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.gradient_integers import FACTOR_BITS, rounded_shift, scaled, widened
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall, RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow


@dataclass(frozen=True, eq=False)
class TableGradient(Operator):
    """gradient * table[source + 128].

    inputs: the gradient, float32; what the function was given, int8 of the same shape. A gradient of
        integers, int16 or int32, has exponents behind them as in `ClampGradient`.
    outputs: float32, or of integers int16.
    table: float32 [256], derivatives for -128 ... 127; of integers int16, of 15 bits.
    """

    table: np.ndarray

    kind: ClassVar[str] = "table_gradient"
    element_types: ClassVar[ElementTypes] = frozenset({FLOAT, ("int16", "int16"), ("int32", "int16")})

    @classmethod
    def from_composite(cls, composite: Composite) -> "TableGradient":
        """Read what `table_gradient` wrote."""
        inputs = tuple(map(composite.tensor, composite.function.params))
        table = composite.tensor(composite.call("relax.take").args[0]).value
        assert table is not None
        return cls(inputs, (composite.result(),), table)


def table_gradient(
    gradient: relax.Var, source: relax.Var, *exponents: relax.Var, table: np.ndarray
) -> relax.Function:
    """The composite function of a `TableGradient`.

    exponents: of a gradient of integers, before and after. table: float32, or int16 for integers.
    """

    def body(emit: Emit, gradient: relax.Var, source: relax.Var, *exponents: relax.Var) -> relax.Expr:
        wide = emit(relax.op.astype(source, "int32"))
        places = emit(relax.op.add(wide, relax.const(128, "int32")))
        derivatives = emit(relax.op.take(tvm_adapter.make_constant(table), places, axis=0, mode="clip"))
        if not exponents:
            return relax.op.multiply(gradient, derivatives)
        before, after = exponents
        shift = emit(relax.op.subtract(after, before))
        shifted = rounded_shift(emit, widened(emit, gradient), shift)
        factors = emit(relax.op.astype(derivatives, "int32"))
        return relax.op.astype(scaled(emit, shifted, factors, FACTOR_BITS), "int16")

    names = ("gradient", "source", "before", "after")
    operands = dict(zip(names, (gradient, source, *exponents), strict=False))
    return write_composite(TableGradient.kind, operands, body)


class PortableTableGradient(Kernel[TableGradient]):
    """Of real numbers."""

    def call(self, view: TableGradient) -> FlatCall:
        """Element by element."""
        elements = view.inputs[0].elements
        return FlatCall(
            header="table_gradient.h",
            function="tinycc_table_gradient_float32",
            struct="tinycc_table_gradient",
            shape={"zero": 0},
            data={"table": view.table},
            inputs=(elements, elements),
            columns=elements,
            elements=elements,
        )

    def overlap(self, view: TableGradient, index: int) -> int | None:
        """In place of the gradient."""
        return 0 if index == 0 else None


class PortableIntegerTableGradient(Kernel[TableGradient]):
    """Of integers."""

    accesses_bytes: ClassVar[bool] = True

    def call(self, view: TableGradient) -> RowCall:
        """Element by element."""
        gradient = view.inputs[0]
        return RowCall(
            header="table_gradient_int16.h",
            function=f"tinycc_table_gradient_{gradient.dtype}",
            struct="tinycc_table_gradient_int16",
            shape={"zero": 0},
            data={"table": view.table},
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=gradient.elements,
            row_elements=gradient.elements,
        )

    def overlap(self, view: TableGradient, index: int) -> int | None:
        """In place of the gradient, whose elements are not made wider."""
        return 0 if index == 0 else None


ROOM = Room(TableGradient, (PortableIntegerTableGradient(),), float_kernels=(PortableTableGradient(),))
