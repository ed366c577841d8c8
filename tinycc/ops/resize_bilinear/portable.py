"""Bilinear resizing of int8 on any core."""

import numpy as np

from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.resize_bilinear.view import ResizeBilinear
from tinycc.ops.resize_positions import Positions
from tinycc.ops.row_window import RowWindow

# Fractional bits that a weighted mean keeps until it is rescaled.
_MEAN_BITS = 8


def _steps_of_tflite(size: int, outputs: int, coordinates: str) -> np.ndarray:
    """Positions in 1/1024 as multiples of a step that is rounded."""
    if coordinates == "align_corners" and outputs > 1:
        step = (1024 * (size - 1) + (outputs - 1) // 2) // (outputs - 1)
    else:
        step = (1024 * size + outputs // 2) // outputs
    return np.arange(outputs) * step + (step // 2 - 512 if coordinates == "half_pixel" else 0)


def _exact_steps(size: int, outputs: int, coordinates: str) -> np.ndarray:
    """Positions in 1/1024, each rounded for itself; none before the first element or behind the last."""
    positions = Positions.of(size, outputs, coordinates)
    scaled = Positions(1024 * positions.stride, 1024 * positions.offset, positions.divisor)
    return np.clip(scaled.rounded("round_prefer_ceil").indices(outputs), 0, 1024 * (size - 1))


def _table(positions: np.ndarray, size: int) -> np.ndarray:
    """Lower neighbour, upper neighbour and weight of the upper in 1/1024, int16 [outputs, 3]."""
    lower = np.maximum(np.trunc(positions / 1024).astype(int), 0)
    upper = np.minimum(np.trunc((positions + 1023) / 1024).astype(int), size - 1)
    return np.stack([lower, upper, positions - 1024 * lower], axis=1).astype(np.int16)


class PortableResizeBilinear(Kernel[ResizeBilinear]):
    """On any core."""

    def call(self, view: ResizeBilinear) -> RowCall:
        """The whole tensor at once; positions are tables."""
        source, output = view.inputs[0], view.outputs[0]
        positions = _exact_steps if view.is_exact else _steps_of_tflite
        rows, columns = (
            _table(positions(size, count, view.coordinates), size)
            for size, count in ((source.height, output.height), (source.width, output.width))
        )
        is_rescaled = (source.scale, source.zero_point) != (output.scale, output.zero_point)
        multiplier, shift = quantize_multiplier(source.real_scale / output.real_scale / 2**_MEAN_BITS)
        return RowCall(
            header="resize_bilinear.h",
            function="tinycc_resize_bilinear_int8",
            struct="tinycc_resize_bilinear",
            shape={
                "input_width": source.width,
                "output_width": output.width,
                "channels": source.channels,
                "mean_bits": _MEAN_BITS if is_rescaled else 0,
            },
            data={
                "rows": rows,
                "columns": columns,
                "input_zero_point": source.zero_point,
                "output_zero_point": output.zero_point,
                "multiplier": multiplier,
                "shift": shift,
            },
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=output.height,
            row_elements=output.elements,
        )
