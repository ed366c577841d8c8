"""Sums with the DSP extension: the input of the larger scale is halved, the other rescaled."""

from tinycc.ops import dsp
from tinycc.ops.add.view import Add
from tinycc.ops.elementwise import ElementwiseKernel, elementwise_call
from tinycc.ops.kernel_call import FlatCall, RowCall


class DspAdd(ElementwiseKernel[Add]):
    """Four elements at a time."""

    name = dsp.FEATURE
    needs = dsp.FEATURE

    def fits(self, view: Add) -> bool:
        """int8 of which nothing is shifted to the left."""
        shifts = view.multipliers.values()
        return view.outputs[0].dtype == "int8" and all(shift <= 0 and factor for factor, shift in shifts)

    def call(self, view: Add) -> FlatCall | RowCall:
        """Two requantizations for each element."""
        a, b = view.inputs
        output = view.outputs[0]
        coarse_is_b = b.real_scale > a.real_scale
        coarse, fine = (b, a) if coarse_is_b else (a, b)
        data = {"coarse_zero_point": coarse.zero_point, "fine_zero_point": fine.zero_point}
        for name, letter in (("fine", "a" if coarse_is_b else "b"), ("output", "output")):
            multiplier, shift = view.multipliers[letter]
            data[f"{name}_multiplier"] = dsp.stored_multiplier(multiplier)
            data[f"{name}_exponent"] = -shift
        data |= {
            "output_zero_point": output.zero_point,
            "output_min": view.output_range[0],
            "output_max": view.output_range[1],
        }
        mode = dsp.mode_of(view.output_range, output.zero_point, data["output_exponent"])
        return elementwise_call(
            view, "add_dsp", data, coarse_is_b=int(coarse_is_b), sign=view.sign, mode=mode
        )
