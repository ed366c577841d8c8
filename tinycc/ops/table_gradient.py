"""The gradient before a function of one integer, by a table of its derivatives."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import FLOAT, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.room import Room


@dataclass(frozen=True, eq=False)
class TableGradient(Operator):
    """gradient * table[source + 128].

    inputs: the gradient, float32; what the function was given, int8 of the same shape.
    table: float32 [256], derivatives for -128 ... 127.
    """

    table: np.ndarray

    kind: ClassVar[str] = "table_gradient"
    element_types: ClassVar[ElementTypes] = frozenset({FLOAT})

    @classmethod
    def from_composite(cls, composite: Composite) -> "TableGradient":
        """Read what `table_gradient` wrote."""
        gradient, source = map(composite.tensor, composite.function.params)
        table = composite.real_constant(composite.call("relax.take").args[0])
        return cls((gradient, source), (composite.result(),), table)


def table_gradient(gradient: relax.Var, source: relax.Var, *, table: np.ndarray) -> relax.Function:
    """The composite function of a `TableGradient`."""

    def body(emit: Emit, gradient: relax.Var, source: relax.Var) -> relax.Expr:
        wide = emit(relax.op.astype(source, "int32"))
        places = emit(relax.op.add(wide, relax.const(128, "int32")))
        derivatives = emit(
            relax.op.take(tvm_adapter.make_constant(table.astype(np.float32)), places, axis=0, mode="clip")
        )
        return relax.op.multiply(gradient, derivatives)

    return write_composite(TableGradient.kind, {"gradient": gradient, "source": source}, body)


class PortableTableGradient(Kernel[TableGradient]):
    """On any core."""

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


ROOM = Room(TableGradient, (PortableTableGradient(),))
