"""Tables on any core."""

import numpy as np

from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.lookup.view import Lookup
from tinycc.ops.tensor import byte_types


class PortableLookup(Kernel[Lookup]):
    """Element by element, in place."""

    def call(self, view: Lookup) -> FlatCall:
        """One row of single elements."""
        return lookup_call(view, "lookup", view.written_table)

    def overlap(self, view: Lookup, index: int) -> int:
        """In place."""
        return 0


def lookup_call(view: Lookup, name: str, table: np.ndarray) -> FlatCall:
    """The call of a kernel. table: in the order in which it looks up."""
    source, output = view.inputs[0], view.outputs[0]
    return FlatCall(
        header=f"{name}.h",
        function=f"tinycc_{name}_{byte_types(source, output)}",
        struct=f"tinycc_{name}",
        shape={"channels": 1},
        data={"table": table},
        inputs=(source.elements,),
        columns=output.elements,
        elements=output.elements,
    )
