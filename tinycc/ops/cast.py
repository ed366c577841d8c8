"""Change of element type, value for value."""

from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.room import Room

_INTEGERS = ("int8", "int16", "int32")


def _of_integers(context: PatternCheckContext) -> bool:
    call = context.annotated_expr["cast"]
    return tvm_adapter.dtype_of(call.args[0]) in _INTEGERS and tvm_adapter.dtype_of(call) in _INTEGERS


@dataclass(frozen=True, eq=False)
class Cast(Operator):
    """int8, int16 or int32 to another of them; what does not fit wraps."""

    kind: ClassVar[str] = "cast"
    element_types: ClassVar[ElementTypes] = frozenset(
        (source, result) for source in _INTEGERS for result in _INTEGERS if source != result
    )

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """astype(x) between integers."""
        cast = is_op("relax.astype")(wildcard())
        return [FusionPattern("tinycc.cast", cast, {"cast": cast}, _of_integers)]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Cast":
        """Read the operand."""
        return cls((composite.tensor(composite.call("relax.astype").args[0]),), (composite.result(),))


class PortableCast(Kernel[Cast]):
    """On any core."""

    def call(self, view: Cast) -> FlatCall:
        """One row of single elements."""
        source, output = view.inputs[0], view.outputs[0]
        return FlatCall(
            header="cast.h",
            function=f"tinycc_cast_{source.dtype}_{output.dtype}",
            struct="tinycc_cast",
            shape={"channels": 1},
            data={"zero": 0},
            inputs=(source.elements,),
            columns=output.elements,
            elements=output.elements,
        )


ROOM = Room(Cast, (PortableCast(),))
