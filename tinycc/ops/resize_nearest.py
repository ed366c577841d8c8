"""Nearest-neighbour resizing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc.ops.base import INT8, ElementTypes, KernelCall, Operator, RowWindow
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite

# coordinate transformation and rounding of Relax -> (align corners, half-pixel centres) of TFLite
_MODES = {
    ("asymmetric", "floor"): (False, False),
    ("half_pixel", "round_prefer_ceil"): (False, True),
    ("align_corners", "round_prefer_ceil"): (True, False),
}


def _mode(call: relax.Call) -> tuple[bool, bool] | None:
    return _MODES.get((str(call.attrs.coordinate_transformation_mode), str(call.attrs.rounding_method)))


def _is_nearest(context: PatternCheckContext) -> bool:
    call = context.annotated_expr["resize"]
    return call.attrs.method == "nearest_neighbor" and call.attrs.layout == "NHWC" and _mode(call) is not None


@dataclass(frozen=True)
class _Axis:
    """Input index of output i is min((i * stride + offset) // divisor, size - 1)."""

    stride: int
    offset: int
    divisor: int

    @classmethod
    def of(cls, size: int, outputs: int, mode: tuple[bool, bool]) -> "_Axis":
        align_corners, half_pixel = mode
        if align_corners and outputs > 1:
            return cls(2 * (size - 1), outputs - 1, 2 * (outputs - 1))
        if half_pixel:
            return cls(2 * size, size, 2 * outputs)
        return cls(size, 0, outputs)


@dataclass(frozen=True, eq=False)
class ResizeNearest(Operator):
    """NHWC int8 rows and columns repeated or left out, in exact arithmetic.

    mode: (align corners, half-pixel centres).
    """

    mode: tuple[bool, bool]

    kind: ClassVar[str] = "resize_nearest"
    element_types: ClassVar[ElementTypes] = INT8

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """image.resize2d(x, method="nearest_neighbor") of integers."""
        resize = is_op("relax.image.resize2d")(wildcard().has_dtype("int8"), wildcard())
        return [FusionPattern("tinycc.resize_nearest", resize, {"resize": resize}, _is_nearest)]

    @classmethod
    def from_composite(cls, composite: Composite) -> "ResizeNearest":
        """Read the coordinate transformation."""
        call = composite.call("relax.image.resize2d")
        mode = _mode(call)
        assert mode is not None
        return cls((composite.tensor(call.args[0]),), (composite.result(),), mode)

    @property
    def is_channelwise(self) -> bool:
        """Always."""
        return True

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """Of the elements that are repeated."""
        return inputs[0]

    def kernel(self) -> KernelCall:
        """One call for each output row; columns are looked up in a table."""
        source, output = self.inputs[0], self.outputs[0]
        rows = _Axis.of(source.height, output.height, self.mode)
        columns = _Axis.of(source.width, output.width, self.mode)
        chosen = (np.arange(output.width) * columns.stride + columns.offset) // columns.divisor
        return KernelCall(
            header="resize_nearest.h",
            function="tinycc_resize_nearest_int8",
            struct="tinycc_resize_nearest",
            shape={"channels": source.channels},
            data={"columns": np.minimum(chosen, source.width - 1).astype(np.int16)},
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
