"""Sums with Helium: half the common scale is one of an input, whose values are exact on it."""

from tinycc.ops import helium
from tinycc.ops.add.view import Add
from tinycc.ops.elementwise import ElementwiseKernel, elementwise_call
from tinycc.ops.fixed_point import SUM_LEFT_SHIFT
from tinycc.ops.kernel_call import FlatCall, RowCall, Value


class HeliumAdd(ElementwiseKernel[Add]):
    """Vectors of elements."""

    name = helium.FEATURE
    needs = helium.FEATURE

    def fits(self, view: Add) -> bool:
        """int8 whose result has a scale that is not tiny."""
        return view.outputs[0].dtype == "int8" and view.multipliers["output"][1] < 0

    def call(self, view: Add) -> FlatCall | RowCall:
        """Two requantizations for each element."""
        multipliers = view.multipliers
        is_b = view.inputs[1].real_scale > view.inputs[0].real_scale
        exact, other = reversed(view.inputs) if is_b else view.inputs
        left_shift = SUM_LEFT_SHIFT["int8"] - 16
        exact_factor = 2 ** (left_shift - 1) * (view.sign if is_b else 1)
        multiplier, shift = multipliers["a" if is_b else "b"]
        other_factor = 2**left_shift
        if shift == 0:
            # A half, too: the same with a shift to the right.
            other_factor, shift = 2 * other_factor, -1
        data: dict[str, Value] = {
            "exact.factor": exact_factor,
            "exact.offset": -exact_factor * exact.zero_point,
            "other.factor": other_factor,
            "other.offset": -other_factor * other.zero_point,
            "exact_is_b": int(is_b),
            "other_multiplier": multiplier,
            "other_shift": shift,
            "other_sign": 1 if is_b else view.sign,
            "multiplier": multipliers["output"][0],
            "shift": multipliers["output"][1],
            **helium.range_fields(view),
        }
        return elementwise_call(view, "add_helium", data, rectified=int(helium.is_rectified(view)))
