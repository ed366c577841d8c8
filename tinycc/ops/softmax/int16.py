"""Softmax of int16 on any core."""

from collections.abc import Callable

import numpy as np

from tinycc.ops.fixed_point import INTEGER_RANGE, quantize_multiplier
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall, Value
from tinycc.ops.softmax.portable import growth, softmax_call
from tinycc.ops.softmax.view import Softmax

# Differences are looked up as 65535 steps of [-10, 0].
_TABLE_RANGE, _TABLE_STEPS = 10.0, 512


class SoftmaxInt16(Kernel[Softmax]):
    """Exponentials and inverses are looked up in tables that are interpolated."""

    def fits(self, view: Softmax) -> bool:
        """int16."""
        return view.inputs[0].dtype == "int16"

    def call(self, view: Softmax) -> FlatCall:
        """One row of pixels."""
        source, output = view.inputs[0], view.outputs[0]
        function = f"tinycc_softmax_{source.dtype}_{output.dtype}"
        return softmax_call(view, "softmax_int16", function, {"channels": source.channels}, _data(view))

    def overlap(self, view: Softmax, index: int) -> int:
        """In place."""
        return growth(view)


def _data(view: Softmax) -> dict[str, Value]:
    """From differences to steps of the table, and the tables."""
    output_multiplier, output_shift = view.output_factor
    low, high = INTEGER_RANGE[view.outputs[0].dtype]
    multiplier, shift = quantize_multiplier(view.inputs[0].real_scale / (_TABLE_RANGE / 65535.0))
    return {
        "exponential": _table(np.exp, -_TABLE_RANGE, 0.0),
        "inverse": _table(lambda x: np.float32(1) / (np.float32(1) + x), 0.0, 1.0),
        "input_multiplier": multiplier,
        "input_shift": shift,
        "output_multiplier": output_multiplier,
        "output_shift": output_shift,
        "output_zero_point": view.outputs[0].zero_point,
        "output_min": low,
        "output_max": high,
    }


def _table(function: Callable[[np.ndarray], np.ndarray], low: float, high: float) -> np.ndarray:
    """A function to [-1, 1] at 512 steps and the end, int16 [513] in Q15, as TFLite samples it.

    Each sample is moved by half of the error that interpolation has in the middle of its step. All in
    float32.
    """
    unit, two = np.float32(2**15), np.float32(2)
    step = (np.float32(high) - np.float32(low)) / np.float32(_TABLE_STEPS)
    points = np.float32(low) + np.arange(_TABLE_STEPS + 1, dtype=np.float32) * step
    exact = function(points) * unit
    samples = _rounded(exact)
    middle = _rounded(function(points[:-1] + step / two) * unit)
    interpolated = _rounded((exact[1:] + samples[:-1]) / two)
    samples[:-1] -= _rounded((interpolated - middle) / two)
    return np.clip(samples, -32768, 32767).astype(np.int16)


def _rounded(values: np.ndarray) -> np.ndarray:
    """To the nearest integer, halves away from zero."""
    return np.copysign(np.floor(np.abs(values) + np.float32(0.5)), values)
