"""Products on any core."""

from tinycc.ops.elementwise import ElementwiseKernel, elementwise_call
from tinycc.ops.kernel_call import FlatCall, RowCall
from tinycc.ops.multiply.view import Multiply


class PortableMultiply(ElementwiseKernel[Multiply]):
    """Element by element."""

    def call(self, view: Multiply) -> FlatCall | RowCall:
        """One requantization of each product."""
        a, b = view.inputs
        multiplier, shift = view.multiplier
        return elementwise_call(
            view,
            "multiply",
            {
                "a_zero_point": a.zero_point,
                "b_zero_point": b.zero_point,
                "output_zero_point": view.outputs[0].zero_point,
                "multiplier": multiplier,
                "shift": shift,
                "output_min": view.output_range[0],
                "output_max": view.output_range[1],
            },
        )
