"""The model's input, taken row by row from the caller.

stream_input puts it behind the input of a model that is to be fed by rows; no pattern finds it.
"""

from dataclasses import dataclass
from typing import ClassVar

from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import AwaitedCall
from tinycc.ops.room import Room
from tinycc.ops.tensor import byte_types

# Attribute of `main`: the index of the parameter whose rows the caller hands over one by one.
ROW_INPUT = "tinycc.row_input"


def row_input(main: relax.Function) -> relax.Var | None:
    """The parameter that comes row by row and is nowhere in memory whole; None if there is none."""
    index = int(tvm_adapter.attribute(main, ROW_INPUT, -1))
    return main.params[index] if index >= 0 else None


@dataclass(frozen=True, eq=False)
class InputRows(Operator):
    """The input itself: each row call takes one more row from the caller, and makes int8 of uint8."""

    kind: ClassVar[str] = "input_rows"
    element_types: ClassVar[ElementTypes] = frozenset(
        (dtype, dtype) for dtype in ("int8", "uint8", "int16", "int32", "float32")
    ) | {("uint8", "int8")}

    @classmethod
    def from_composite(cls, composite: Composite) -> "InputRows":
        """Read the parameter that the function returns, as it is or with its sign flipped."""
        return cls((composite.tensor(composite.function.params[0]),), (composite.result(),))

    def describe(self) -> str:
        """Where the rows come from."""
        return "from the caller"


class RowsFromOutside(Kernel[InputRows]):
    """Takes the rows from the caller."""

    def call(self, view: InputRows) -> AwaitedCall:
        """One call for each row."""
        source, output = view.inputs[0], view.outputs[0]
        types = output.dtype if source.dtype == output.dtype else byte_types(source, output)
        return AwaitedCall(
            header="input_rows.h",
            function=f"tinycc_input_rows_{types}",
            struct="tinycc_input_rows",
            shape={"channels": output.channels},
            data={"zero": 0},
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def overlap(self, view: InputRows, index: int) -> int:
        """The rows are where they came in: what orders operators is to count them once."""
        return 0


ROOM = Room(InputRows, (RowsFromOutside(),))
