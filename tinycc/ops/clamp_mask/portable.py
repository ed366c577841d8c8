"""Masks of clamps on any core."""

from tinycc.ops.clamp_mask.view import ClampMask
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.row_window import RowWindow


class PortableClampMask(Kernel[ClampMask]):
    """Element by element."""

    def call(self, view: ClampMask) -> RowCall:
        """All elements at once, a byte of the mask after the other."""
        return row_call(view, "")

    def overlap(self, view: ClampMask, index: int) -> int:
        """A byte is written when all of its elements are read."""
        return 0


def row_call(view: ClampMask, ending: str) -> RowCall:
    """The call of a kernel whose name ends so."""
    [result], [mask] = view.inputs, view.outputs
    return RowCall(
        header=f"clamp_mask{ending}.h",
        function=f"tinycc_clamp_mask{ending}_int8",
        struct=f"tinycc_clamp_mask{ending}",
        shape={"elements": result.elements},
        data={"low": view.low, "high": view.high},
        windows=(RowWindow.whole(result),),
        rows=1,
        columns=mask.elements,
        row_elements=mask.elements,
    )
