"""Means and sums on any core."""

from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import AccumulatingCall, RowCall, Value
from tinycc.ops.pooling import MOST_TAPS, Sums
from tinycc.ops.reduce.view import Reduce
from tinycc.ops.row_window import RowWindow


class PortableReduce(Sums, Kernel[Reduce]):
    """Result by result."""

    def call(self, view: Reduce) -> RowCall:
        """The whole tensor at once."""
        source, output = view.inputs[0], view.outputs[0]
        return RowCall(
            header=f"reduce{self.suffix}.h",
            function=f"tinycc_reduce{self.suffix}_{source.dtype}",
            struct=f"tinycc_reduce{self.suffix}",
            shape={**view.strides, "is_clamped": view.is_clamped},
            data=self.data(view),
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=view.strides["kept_size0"],
            row_elements=output.elements,
        )

    def accumulate(self, view: Reduce, height: int) -> AccumulatingCall | None:
        """Sums over all pixels, row by row."""
        source, output = view.inputs[0], view.outputs[0]
        if height != source.height or not view.is_over_pixels:
            return None
        return AccumulatingCall(
            header=f"accumulate{self.suffix}.h",
            function=f"tinycc_reduce_rows{self.suffix}_int8",
            struct=f"tinycc_reduce_rows{self.suffix}",
            shape={
                "rows": height,
                "width": source.width,
                "channels": source.channels,
                "is_clamped": view.is_clamped,
            },
            data=self.data(view),
            rows=height,
            input_elements=source.width * source.channels,
            row_elements=output.elements,
            accumulator_bytes=self.accumulator_bytes(source.channels),
        )

    def data(self, view: Reduce) -> dict[str, Value]:
        """The kernel's constants."""
        multiplier, shift = view.requantization()
        return {
            "multiplier": multiplier,
            "shift": shift,
            "input_zero_point": view.inputs[0].zero_point,
            "output_zero_point": view.outputs[0].zero_point,
            "output_min": view.output_range[0],
            "output_max": view.output_range[1],
        }


class ReduceByVectors(PortableReduce):
    """A kernel that takes `together` neighbours at once, and sums in 16 bits from one row to the next."""

    def fits(self, view: Reduce) -> bool:
        """A vector's worth of neighbours kept or reduced, not scaled up."""
        if view.neighbours < self.together:
            return False
        multiplier, shift = view.requantization()
        return multiplier > 0 and shift <= 0

    def accumulate(self, view: Reduce, height: int) -> AccumulatingCall | None:
        """The portable one where sums need more than 16 bits."""
        if view.count > MOST_TAPS:
            return PortableReduce().accumulate(view, height)
        return super().accumulate(view, height)
