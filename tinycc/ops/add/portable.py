"""Sums on any core: both inputs are brought to twice the larger of their scales, as TFLite does."""

from tinycc.ops.add.view import Add
from tinycc.ops.elementwise import ElementwiseKernel, elementwise_call
from tinycc.ops.fixed_point import SUM_LEFT_SHIFT
from tinycc.ops.kernel_call import FlatCall, RowCall


class PortableAdd(ElementwiseKernel[Add]):
    """Element by element."""

    def call(self, view: Add) -> FlatCall | RowCall:
        """Three requantizations for each element."""
        a, b = view.inputs
        output = view.outputs[0]
        data: dict[str, int] = {
            "left_shift": SUM_LEFT_SHIFT[output.dtype],
            "sign": view.sign,
            "a_zero_point": a.zero_point,
            "b_zero_point": b.zero_point,
            "output_zero_point": output.zero_point,
            "output_min": view.output_range[0],
            "output_max": view.output_range[1],
        }
        for name, (multiplier, shift) in view.multipliers.items():
            data |= {f"{name}_multiplier": multiplier, f"{name}_shift": shift}
        return elementwise_call(view, "add", data)
