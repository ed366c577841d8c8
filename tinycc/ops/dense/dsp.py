"""Dense layers with the DSP extension."""

from typing import ClassVar

from tinycc.ops import dsp_linear
from tinycc.ops.dense.portable import NarrowPortableDense, PortableDense
from tinycc.ops.dense.view import Dense
from tinycc.ops.dsp_layer import DspLayer
from tinycc.ops.dsp_linear import DENSE_BLOCK, DspLinear, NarrowDsp, Wide
from tinycc.ops.kernel_call import AccumulatingCall, FlatCall
from tinycc.ops.pointwise.dsp import DspPointwise


class _Accumulating(DspLinear[Dense]):
    """Sums of one vector, an equal part of it after the other.

    portable: what is done where the sums of a part have more than 24 bits.
    """

    portable: ClassVar[PortableDense] = PortableDense()

    def accumulate(self, view: Dense, height: int) -> AccumulatingCall | None:
        """One of equal parts."""
        if not view.accumulates(height):
            return None
        source, output = view.inputs[0], view.outputs[0]
        elements = source.elements // height
        if not dsp_linear.fits_parts(view, [elements] * height):
            return self.portable.accumulate(view, height)
        return AccumulatingCall(
            header="accumulate_dsp.h",
            function="tinycc_dense_rows_dsp_int8",
            struct="tinycc_dense_rows_dsp",
            shape={
                "rows": height,
                "row_elements": elements,
                "outputs": output.elements,
                **dsp_linear.parts_shape(view, self.storage),
            },
            data=dsp_linear.parts_data(view, [elements] * height, self.storage, by_parts=True),
            rows=height,
            input_elements=elements,
            row_elements=output.elements,
            accumulator_bytes=4 * (-(-output.elements // DENSE_BLOCK) * DENSE_BLOCK),
        )


class DspDense(_Accumulating, DspPointwise[Dense]):
    """A pointwise convolution of as many pixels as there are vectors."""


class DspDenseParts(_Accumulating, DspPointwise[Dense]):
    """One vector whose sums have more than 24 bits: they are summed part by part."""

    def fits(self, view: Dense) -> bool:
        """int8 sums that are made of parts of 24 bits."""
        is_vector = view.inputs[0].dtype == "int8" and view.vectors == 1
        return is_vector and view.arithmetic.meets(lambda: bool(DspLayer.of(view).parts))

    def call(self, view: Dense) -> FlatCall:
        """A single column."""
        source, output = view.inputs[0], view.outputs[0]
        parts = DspLayer.of(view).parts
        return FlatCall(
            header="dense_dsp.h",
            function="tinycc_dense_parts_dsp_int8",
            struct="tinycc_dense_parts_dsp",
            shape={
                "input_channels": source.elements,
                "output_channels": output.elements,
                "part": parts[0],
                **dsp_linear.parts_shape(view, self.storage),
            },
            data=dsp_linear.parts_data(view, parts, self.storage, by_parts=False),
            inputs=(source.elements,),
            columns=1,
            elements=output.elements,
        )


class WideDspDense(Wide[Dense], DspDense):
    """With wide weights."""


class WideDspDenseParts(Wide[Dense], DspDenseParts):
    """With wide weights."""


class NarrowDspDense(NarrowDsp[Dense], DspDense):
    """With weights of four bits; their sums have 24 bits, but for vectors that no microcontroller holds."""

    portable = NarrowPortableDense()
