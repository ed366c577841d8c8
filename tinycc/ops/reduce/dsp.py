"""Means and sums with the DSP extension."""

from tinycc.ops import dsp
from tinycc.ops.kernel_call import Value
from tinycc.ops.pooling import DspSums
from tinycc.ops.reduce.portable import ReduceByVectors
from tinycc.ops.reduce.view import Reduce


class DspReduce(DspSums, ReduceByVectors):
    """Four elements at a time."""

    name = dsp.FEATURE
    needs = dsp.FEATURE

    def data(self, view: Reduce) -> dict[str, Value]:
        """The multiplier doubled, modulo 2**32."""
        multiplier, shift = view.requantization()
        return {
            "multiplier": 2 * multiplier - (2**32 if multiplier >= 2**30 else 0),
            "offset": -view.count * view.inputs[0].zero_point,
            "exponent": -shift,
            "output_zero_point": view.outputs[0].zero_point,
            "output_min": view.output_range[0],
            "output_max": view.output_range[1],
        }
