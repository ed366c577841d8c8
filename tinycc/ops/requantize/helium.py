"""Changes of scale with Helium."""

from tinycc.ops import helium
from tinycc.ops.requantize.portable import PortableLines
from tinycc.ops.requantize.view import Requantize
from tinycc.ops.tensor import byte_types


class HeliumLines(PortableLines):
    """Vectors of int8."""

    name = helium.FEATURE
    needs = helium.FEATURE
    suffix = "_helium"

    def fits(self, view: Requantize) -> bool:
        """int8 of which lines give the results."""
        return byte_types(view.inputs[0], view.outputs[0]) == "int8" and view.lines is not None
