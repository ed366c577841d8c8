"""Rows of a constant table at indices that the model is given or computes: the vectors of tokens."""

from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops.base import MOVED_TYPES, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.room import Room

_INDEX_TYPES = ("int32", "int64")


def _takes_rows(context: PatternCheckContext) -> bool:
    call = context.annotated_expr["take"]
    rank = len(tvm_adapter.shape_of(call.args[0]))
    return rank == 1 if call.attrs.axis is None else int(call.attrs.axis) % rank == 0


@dataclass(frozen=True, eq=False)
class Embedding(Operator):
    """out[..., :] = table[indices[...], :].

    table: int8, int16 or float32 [rows, width].
    is_modular: an index outside of the table is taken modulo its rows, so that -1 is the last; else the
        nearest row is.
    """

    table: np.ndarray
    is_modular: bool

    kind: ClassVar[str] = "embedding"
    element_types: ClassVar[ElementTypes] = frozenset(product(_INDEX_TYPES, MOVED_TYPES))

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """take(table, indices) of whole rows."""
        patterns = []
        for index, dtype in product(_INDEX_TYPES, MOVED_TYPES):
            take = is_op("relax.take")(is_const().has_dtype(dtype), wildcard().has_dtype(index))
            patterns.append(FusionPattern("tinycc.embedding", take, {"take": take}, _takes_rows))
        return patterns

    @classmethod
    def from_composite(cls, composite: Composite) -> "Embedding":
        """Read the table."""
        call = composite.call("relax.take")
        table = tvm_adapter.constant_value(call.args[0])
        rows = table.reshape(len(table), -1)
        is_modular = str(call.attrs.mode) == "wrap"
        return cls((composite.tensor(call.args[1]),), (composite.result(),), rows, is_modular)

    def describe(self) -> str:
        """The table."""
        return f"{len(self.table)} rows"


class PortableEmbedding(Kernel[Embedding]):
    """On any core."""

    def call(self, view: Embedding) -> FlatCall:
        """A column for each index."""
        source, output = view.inputs[0], view.outputs[0]
        rows, width = view.table.shape
        return FlatCall(
            header="embedding.h",
            function=f"tinycc_embedding_{source.dtype}_{output.dtype}",
            struct=f"tinycc_embedding_{output.dtype}",
            shape={"rows": rows, "width": width, "is_modular": int(view.is_modular)},
            data={"table": view.table},
            inputs=(source.elements,),
            columns=source.elements,
            elements=output.elements,
        )


ROOM = Room(Embedding, (PortableEmbedding(),))
