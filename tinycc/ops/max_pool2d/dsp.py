"""Maximum pooling with the DSP extension."""

from tinycc.ops import dsp
from tinycc.ops.max_pool2d.portable import PortableMaxPool2D
from tinycc.ops.max_pool2d.view import MaxPool2D


class DspMaxPool2D(PortableMaxPool2D):
    """Four channels at a time."""

    name = dsp.FEATURE
    needs = dsp.FEATURE
    suffix = "_dsp"
    together = 4

    def fits(self, view: MaxPool2D) -> bool:
        """int8."""
        return view.inputs[0].dtype == "int8"
