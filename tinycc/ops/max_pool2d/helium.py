"""Maximum pooling with Helium."""

from tinycc.ops import helium
from tinycc.ops.max_pool2d.portable import PortableMaxPool2D
from tinycc.ops.max_pool2d.view import MaxPool2D
from tinycc.runtime_c.constants import constant


class HeliumMaxPool2D(PortableMaxPool2D):
    """Sixteen channels at a time."""

    name = helium.FEATURE
    needs = helium.FEATURE
    suffix = "_helium"
    together = constant("TINYCC_COMPARED_CHANNELS")

    def fits(self, view: MaxPool2D) -> bool:
        """int8."""
        return view.inputs[0].dtype == "int8"
