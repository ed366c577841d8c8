"""The last rows of a sequence, kept from one inference to the next.

slide_states makes it of a state that new rows are joined to and old ones cut off; no pattern finds it.
"""

from dataclasses import dataclass
from typing import ClassVar

from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import Operator
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow
from tinycc.ops.tensor import ITEM_BYTES


@dataclass(frozen=True, eq=False)
class DelayLine(Operator):
    """New rows, then the line [..., rows, ...]; the result is the line with the new rows behind the others.

    All dimensions before that of the rows are 1, so that rows follow each other in memory.
    """

    kind: ClassVar[str] = "delay_line"

    @classmethod
    def from_composite(cls, composite: Composite) -> "DelayLine":
        """Read both parameters."""
        added, line = map(composite.tensor, composite.function.params)
        return cls((added, line), (composite.result(),))

    @property
    def kept(self) -> int:
        """Elements that stay in the line."""
        return self.outputs[0].elements - self.inputs[0].elements

    def describe(self) -> str:
        """How much comes in, and how much is kept."""
        return f"{self.inputs[0].elements} of {self.outputs[0].elements} elements"


def delay_line(added: relax.Var, line: relax.Var, axis: int) -> relax.Function:
    """The composite function: a line with new rows along `axis`."""
    parameters = [relax.Var("added", added.ty), relax.Var("line", line.ty)]
    rows, first = tvm_adapter.shape_of(line)[axis], tvm_adapter.shape_of(added)[axis]
    builder = relax.BlockBuilder()
    with builder.function("delay_line", parameters):
        with builder.dataflow():
            kept = builder.emit(relax.op.strided_slice(parameters[1], [axis], [first], [rows]))
            result = builder.emit_output(relax.op.concat([kept, parameters[0]], axis))
        builder.emit_func_output(result)
    function = builder.get()["delay_line"].without_attr("global_symbol")
    return function.with_attrs({"Composite": f"tinycc.{DelayLine.kind}", "Primitive": True})


class PortableDelayLine(Kernel[DelayLine]):
    """Two moves of memory."""

    def call(self, view: DelayLine) -> RowCall:
        """Two runs of memory."""
        added, output = view.inputs[0], view.outputs[0]
        return RowCall(
            header="delay_line.h",
            function=f"tinycc_delay_line_{output.dtype}",
            struct="tinycc_delay_line",
            shape={"kept": view.kept, "added": added.elements},
            data={"zero": 0},
            windows=tuple(RowWindow.whole(tensor) for tensor in view.inputs),
            rows=1,
            columns=1,
            row_elements=output.elements,
            pixel_columns=0,
        )

    def overlap(self, view: DelayLine, index: int) -> int:
        """The line moves up onto itself; then what comes in is copied to the end, where it may already be."""
        elements = view.kept if index == 0 else -view.inputs[0].elements
        return elements * ITEM_BYTES[view.outputs[0].dtype]


ROOM = Room(DelayLine, (PortableDelayLine(),))
