"""Maximum pooling with the DSP extension."""

from tinycc.ops import dsp
from tinycc.ops.max_pool2d.portable import PortableMaxPool2D
from tinycc.ops.max_pool2d.view import MaxPool2D
from tinycc.runtime_c.constants import constant


class DspMaxPool2D(PortableMaxPool2D):
    """Four channels at a time."""

    name = dsp.FEATURE
    needs = dsp.FEATURE
    suffix = "_dsp"
    together = constant("TINYCC_DSP_CHANNELS")

    def fits(self, view: MaxPool2D) -> bool:
        """int8."""
        return view.inputs[0].dtype == "int8"
