"""Products with Helium."""

from tinycc.ops import helium
from tinycc.ops.elementwise import ElementwiseKernel, elementwise_call
from tinycc.ops.kernel_call import FlatCall, RowCall
from tinycc.ops.multiply.view import Multiply


class HeliumMultiply(ElementwiseKernel[Multiply]):
    """Vectors of elements."""

    name = helium.FEATURE
    needs = helium.FEATURE

    def fits(self, view: Multiply) -> bool:
        """int8 products that are scaled down to less than a half."""
        multiplier, shift = view.multiplier
        return view.outputs[0].dtype == "int8" and multiplier > 0 and shift < 0

    def call(self, view: Multiply) -> FlatCall | RowCall:
        """One requantization of each product."""
        multiplier, shift = view.multiplier
        return elementwise_call(
            view,
            "multiply_helium",
            {
                "multiplier": multiplier,
                "shift": shift,
                "a_zero_point": view.inputs[0].zero_point,
                "b_zero_point": view.inputs[1].zero_point,
                **helium.range_fields(view),
            },
            mode=int(helium.is_rectified(view)),
        )
