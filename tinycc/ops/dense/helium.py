"""Dense layers with Helium."""

from tinycc.ops import helium
from tinycc.ops.dense.view import Dense
from tinycc.ops.helium_linear import NarrowHelium
from tinycc.ops.kernel_call import AccumulatingCall
from tinycc.ops.pointwise.helium import HeliumPointwise


class HeliumDense(HeliumPointwise[Dense]):
    """A pointwise convolution of as many pixels as there are vectors."""

    def accumulate(self, view: Dense, height: int) -> AccumulatingCall | None:
        """Sums of one vector, an equal part of it after the other."""
        if not view.accumulates(height):
            return None
        source, output = view.inputs[0], view.outputs[0]
        return AccumulatingCall(
            header="accumulate_helium.h",
            function="tinycc_dense_rows_helium_int8",
            struct="tinycc_dense_rows_helium",
            shape={
                "rows": height,
                "row_elements": source.elements // height,
                "outputs": output.elements,
                "rectified": int(helium.is_rectified(view)),
                "weight_bits": self.weight_bits,
            },
            data=helium.parts_data(view, height, self.weight_bits),
            rows=height,
            input_elements=source.elements // height,
            row_elements=output.elements,
            accumulator_bytes=4 * helium.filled(output.elements),
        )


class NarrowHeliumDense(NarrowHelium[Dense], HeliumDense):
    """With weights of four bits, two outputs in a byte."""
