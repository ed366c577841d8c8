"""Maximum pooling of float32."""

import math

from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.max_pool2d.view import MaxPool2D
from tinycc.ops.pooling import float_pool_call


class FloatMaxPool2D(Kernel[MaxPool2D]):
    """Channel by channel."""

    def call(self, view: MaxPool2D) -> RowCall:
        """One call for each output row."""
        tensors = view.inputs[0], view.outputs[0]
        return float_pool_call("max_pool2d", view.window, tensors, (-math.inf, math.inf))

    def overlap(self, view: MaxPool2D, index: int) -> int:
        """Channels are written once their taps are read."""
        return view.window.channelwise_overlap(view.inputs[0], view.outputs[0])
