"""Products with the DSP extension."""

from tinycc.ops import dsp
from tinycc.ops.elementwise import ElementwiseKernel, elementwise_call
from tinycc.ops.kernel_call import FlatCall, RowCall
from tinycc.ops.multiply.view import Multiply


class DspMultiply(ElementwiseKernel[Multiply]):
    """Four elements at a time."""

    name = dsp.FEATURE
    needs = dsp.FEATURE

    def fits(self, view: Multiply) -> bool:
        """int8 products that are not scaled up."""
        multiplier, shift = view.multiplier
        return view.outputs[0].dtype == "int8" and multiplier > 0 and shift <= 0

    def call(self, view: Multiply) -> FlatCall | RowCall:
        """One requantization of each product."""
        multiplier, shift = view.multiplier
        zero_point = view.outputs[0].zero_point
        return elementwise_call(
            view,
            "multiply_dsp",
            {
                "a_zero_point": view.inputs[0].zero_point,
                "b_zero_point": view.inputs[1].zero_point,
                "multiplier": dsp.stored_multiplier(multiplier),
                "exponent": -shift,
                "output_zero_point": zero_point,
                "output_min": view.output_range[0],
                "output_max": view.output_range[1],
            },
            mode=dsp.mode_of(view.output_range, zero_point, -shift),
        )
