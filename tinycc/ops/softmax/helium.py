"""Softmax of int8 with Helium."""

from tinycc.ops import helium
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.softmax.portable import growth, softmax_call, table
from tinycc.ops.softmax.view import Softmax


class HeliumSoftmax(Kernel[Softmax]):
    """Exponentials of vectors of elements are looked up."""

    name = helium.FEATURE
    needs = helium.FEATURE

    def fits(self, view: Softmax) -> bool:
        """Long pixels whose exponentials are looked up, to TFLite's output."""
        source = view.inputs[0]
        is_plain = source.dtype == "int8" and view.result_bits == 8 and view.is_tabled
        return is_plain and source.channels >= helium.CHANNELS

    def call(self, view: Softmax) -> FlatCall:
        """One row of pixels."""
        shape = {"channels": view.inputs[0].channels}
        return softmax_call(view, "softmax_helium", "tinycc_softmax_helium_int8", shape, table(view))

    def overlap(self, view: Softmax, index: int) -> int:
        """In place."""
        return growth(view)
