"""Maximum pooling on any core."""

from typing import ClassVar

from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.max_pool2d.view import MaxPool2D
from tinycc.ops.pooling import pool_call


class PortableMaxPool2D(Kernel[MaxPool2D]):
    """Channel by channel.

    suffix: of header and function. together: channels that are compared at once.
    """

    suffix: ClassVar[str] = ""
    together: ClassVar[int] = 1

    def call(self, view: MaxPool2D) -> RowCall:
        """One call for each output row."""
        source, output = view.inputs[0], view.outputs[0]
        low, high = INTEGER_RANGE[source.dtype]
        data = {"output_min": low, "output_max": high}
        return pool_call("max_pool2d", self.suffix, view.window, (source, output), data)

    def overlap(self, view: MaxPool2D, index: int) -> int:
        """Channels are written once their taps are read."""
        return view.window.channelwise_overlap(view.inputs[0], view.outputs[0], self.together)
