"""Average pooling on any core."""

from tinycc.ops.average_pool2d.view import AveragePool2D
from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import AccumulatingCall, RowCall
from tinycc.ops.pooling import MOST_TAPS, Sums, pool_call


class PortableAveragePool2D(Sums, Kernel[AveragePool2D]):
    """Channel by channel."""

    def call(self, view: AveragePool2D) -> RowCall:
        """One call for each output row."""
        return pool_call(
            "average_pool2d",
            self.suffix,
            view.window,
            (view.inputs[0], view.outputs[0]),
            view.requantization(),
            mean_bits=view.mean_bits,
        )

    def accumulate(self, view: AveragePool2D, height: int) -> AccumulatingCall | None:
        """Sums over all pixels, row by row, where the window is the whole input."""
        source, output = view.inputs[0], view.outputs[0]
        if source.dtype != "int8" or height != source.height or not view.covers_input:
            return None
        return AccumulatingCall(
            header=f"accumulate{self.suffix}.h",
            function=f"tinycc_average_rows{self.suffix}_int8",
            struct=f"tinycc_average_rows{self.suffix}",
            shape={
                "rows": height,
                "width": source.width,
                "channels": source.channels,
                "mean_bits": view.mean_bits,
                "is_clamped": int(view.output_range != INTEGER_RANGE[output.dtype]),
            },
            data=dict(view.requantization()),
            rows=height,
            input_elements=source.width * source.channels,
            row_elements=output.elements,
            accumulator_bytes=self.accumulator_bytes(source.channels),
        )

    def overlap(self, view: AveragePool2D, index: int) -> int:
        """Channels are written once their taps are read."""
        return view.window.channelwise_overlap(view.inputs[0], view.outputs[0], self.together)


def fits_short_sums(view: AveragePool2D) -> bool:
    """Whether it is one of int8 whose sums fit 16 bits."""
    return view.inputs[0].dtype == "int8" and view.window.kernel[0] * view.window.kernel[1] <= MOST_TAPS
