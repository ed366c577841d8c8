"""Average pooling with Helium."""

from tinycc.ops import helium
from tinycc.ops.average_pool2d.portable import PortableAveragePool2D, fits_short_sums
from tinycc.ops.average_pool2d.view import AveragePool2D
from tinycc.ops.pooling import HeliumSums


class HeliumAveragePool2D(HeliumSums, PortableAveragePool2D):
    """Eight channels at a time."""

    name = helium.FEATURE
    needs = helium.FEATURE

    def fits(self, view: AveragePool2D) -> bool:
        """Sums of 16 bits."""
        return fits_short_sums(view)
