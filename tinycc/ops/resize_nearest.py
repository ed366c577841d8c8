"""Nearest-neighbour resizing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc.ops.base import FLOAT, INT8, ElementTypes
from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.resize_positions import nearest_positions
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow


def _is_nearest(context: PatternCheckContext) -> bool:
    call = context.annotated_expr["resize"]
    return call.attrs.method == "nearest_neighbor" and call.attrs.layout == "NHWC"


@dataclass(frozen=True, eq=False)
class ResizeNearest(ChannelDependence):
    """NHWC int8 rows and columns repeated or left out, in exact arithmetic.

    coordinates, rounding: as Relax and ONNX name them.
    """

    coordinates: str
    rounding: str

    kind: ClassVar[str] = "resize_nearest"
    element_types: ClassVar[ElementTypes] = INT8 | {FLOAT}
    is_spatial: ClassVar[bool] = True

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """image.resize2d(x, method="nearest_neighbor")."""
        patterns = []
        for dtype in ("int8", "float32"):
            resize = is_op("relax.image.resize2d")(wildcard().has_dtype(dtype), wildcard())
            patterns.append(FusionPattern("tinycc.resize_nearest", resize, {"resize": resize}, _is_nearest))
        return patterns

    @classmethod
    def from_composite(cls, composite: Composite) -> "ResizeNearest":
        """Read where elements come from; ValueError where some would come from beyond the image."""
        call = composite.call("relax.image.resize2d")
        coordinates, rounding = (
            str(call.attrs.coordinate_transformation_mode),
            str(call.attrs.rounding_method),
        )
        resize = cls((composite.tensor(call.args[0]),), (composite.result(),), coordinates, rounding)
        source, output = resize.inputs[0], resize.outputs[0]
        for size, count in ((source.height, output.height), (source.width, output.width)):
            indices = nearest_positions(size, count, coordinates, rounding).indices(count)
            if indices[0] < 0 or indices[-1] >= size:
                raise ValueError(
                    f"resizing with coordinates {coordinates} and rounding {rounding} reads beyond"
                )
        return resize

    @property
    def is_channelwise(self) -> bool:
        """Always."""
        return True

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """Of the elements that are repeated."""
        return inputs[0]


class PortableResizeNearest(Kernel[ResizeNearest]):
    """On any core."""

    def call(self, view: ResizeNearest) -> RowCall:
        """One call for each output row; columns are looked up in a table."""
        source, output = view.inputs[0], view.outputs[0]
        rows, columns = (
            nearest_positions(size, count, view.coordinates, view.rounding)
            for size, count in ((source.height, output.height), (source.width, output.width))
        )
        return RowCall(
            header="resize_nearest.h",
            function=f"tinycc_resize_nearest_{source.dtype}",
            struct="tinycc_resize_nearest",
            shape={"channels": source.channels},
            data={"columns": columns.indices(output.width).astype(np.int16)},
            windows=(
                RowWindow(
                    input_rows=source.height,
                    row_elements=source.width * source.channels,
                    stride=rows.stride,
                    offset=rows.offset,
                    divisor=rows.divisor,
                ),
            ),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )


ROOM = Room(ResizeNearest, (PortableResizeNearest(),))
