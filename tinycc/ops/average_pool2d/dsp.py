"""Average pooling with the DSP extension."""

from tinycc.ops import dsp
from tinycc.ops.average_pool2d.portable import PortableAveragePool2D, fits_short_sums
from tinycc.ops.average_pool2d.view import AveragePool2D
from tinycc.ops.pooling import DspSums


class DspAveragePool2D(DspSums, PortableAveragePool2D):
    """Four channels at a time."""

    name = dsp.FEATURE
    needs = dsp.FEATURE

    def fits(self, view: AveragePool2D) -> bool:
        """Sums of 16 bits."""
        return fits_short_sums(view)
