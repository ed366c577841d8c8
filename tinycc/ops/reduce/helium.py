"""Means and sums with Helium."""

from tinycc.ops import helium
from tinycc.ops.kernel_call import Value
from tinycc.ops.pooling import HeliumSums
from tinycc.ops.reduce.portable import ReduceByVectors
from tinycc.ops.reduce.view import Reduce


class HeliumReduce(HeliumSums, ReduceByVectors):
    """Eight elements at a time."""

    name = helium.FEATURE
    needs = helium.FEATURE

    def data(self, view: Reduce) -> dict[str, Value]:
        """The input's zero point is taken off the sum."""
        multiplier, shift = view.requantization()
        return {
            "multiplier": multiplier,
            "shift": shift,
            "offset": -view.count * view.inputs[0].zero_point,
            **helium.range_fields(view),
        }
