"""Bilinear resizing."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc.ops.base import INT8, ElementTypes
from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.patterns import dequantized, quantized
from tinycc.ops.resize_positions import COORDINATES, Positions
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow

# Fractional bits that a weighted mean keeps until it is rescaled.
_MEAN_BITS = 8


def _is_bilinear(context: PatternCheckContext) -> bool:
    attrs = context.annotated_expr["resize"].attrs
    known = str(attrs.coordinate_transformation_mode) in COORDINATES
    return known and attrs.method == "linear" and attrs.layout == "NHWC"


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


@dataclass(frozen=True, eq=False)
class ResizeBilinear(ChannelDependence):
    """NHWC int8 linear interpolation, positions in 1/1024 pixels.

    coordinates: as Relax and ONNX name them.
    is_exact: whether each position is rounded for itself, not as a multiple of a step as TFLite has it.
    """

    coordinates: str
    is_exact: bool

    kind: ClassVar[str] = "resize_bilinear"
    element_types: ClassVar[ElementTypes] = INT8
    is_spatial: ClassVar[bool] = True

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(image.resize2d(dequantize(x), method="linear"))."""
        resize = is_op("relax.image.resize2d")(dequantized(), wildcard())
        return [FusionPattern("tinycc.resize_bilinear", quantized(resize), {"resize": resize}, _is_bilinear)]

    @classmethod
    def from_composite(cls, composite: Composite) -> "ResizeBilinear":
        """Read the coordinates; the rounding of positions is TFLite's where the one of Relax is not empty."""
        call = composite.call("relax.image.resize2d")
        source, output = composite.tensor(call.args[0]), composite.result()
        if max(source.height, source.width, output.height, output.width) >= 2**15:
            raise ValueError("more rows or columns than the tables can hold")
        coordinates = str(call.attrs.coordinate_transformation_mode)
        is_exact = coordinates == "pytorch_half_pixel" or not str(call.attrs.rounding_method)
        return cls((source,), (output,), coordinates, is_exact)

    @property
    def is_channelwise(self) -> bool:
        """Always."""
        return True


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


ROOM = Room(ResizeBilinear, (PortableResizeBilinear(),))
