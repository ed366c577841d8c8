"""Average pooling of float32."""

from tinycc.ops.average_pool2d.view import AveragePool2D
from tinycc.ops.float_reduction import accumulating_call
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import AccumulatingCall, RowCall
from tinycc.ops.pooling import float_pool_call


class FloatAveragePool2D(Kernel[AveragePool2D]):
    """Channel by channel."""

    def call(self, view: AveragePool2D) -> RowCall:
        """One call for each output row."""
        tensors = view.inputs[0], view.outputs[0]
        return float_pool_call("average_pool2d", view.window, tensors, view.bounds)

    def accumulate(self, view: AveragePool2D, height: int) -> AccumulatingCall | None:
        """Sums over all pixels, row by row, where the window is the whole input."""
        source, output = view.inputs[0], view.outputs[0]
        if height != source.height or not view.covers_input:
            return None
        return accumulating_call(source, output, float(source.height * source.width), view.bounds)

    def overlap(self, view: AveragePool2D, index: int) -> int:
        """Channels are written once their taps are read."""
        return view.window.channelwise_overlap(view.inputs[0], view.outputs[0])
