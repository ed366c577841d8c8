"""Elements of an axis at indices that are known: chosen, repeated or in another order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc import tvm_adapter
from tinycc.ops.base import MOVED, MOVED_TYPES, ElementTypes
from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall, RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow


@dataclass(frozen=True, eq=False)
class Gather(ChannelDependence):
    """out[..., j, ...] = in[..., indices[j], ...] along `axis`, of int8 or int16.

    indices: int16, from 0 to less than the axis' size.
    """

    axis: int
    indices: np.ndarray

    kind: ClassVar[str] = "gather"
    element_types: ClassVar[ElementTypes] = MOVED

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """take(x, indices)."""
        return [
            FusionPattern("tinycc.gather", is_op("relax.take")(wildcard().has_dtype(dtype), is_const()))
            for dtype in MOVED_TYPES
        ]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Gather":
        """Read axis and indices; those beyond the axis are at its ends, or counted from the other one."""
        call = composite.call("relax.take")
        source = composite.tensor(call.args[0])
        axis, size = 0, source.elements
        if call.attrs.axis is not None:
            axis = int(call.attrs.axis) % len(source.shape)
            size = source.shape[axis]
        elif len(source.shape) > 1:
            raise ValueError("elements chosen from all axes together are not supported")
        if size > np.iinfo(np.int16).max:
            raise ValueError(
                f"choosing of {size} elements is not supported, {np.iinfo(np.int16).max} at most"
            )
        indices = tvm_adapter.constant_value(call.args[1]).reshape(-1).astype(np.int64)
        if call.attrs.mode == "wrap":
            indices = indices % size
        return cls((source,), (composite.result(),), axis, np.clip(indices, 0, size - 1).astype(np.int16))

    @property
    def is_channelwise(self) -> bool:
        """Unless channels are chosen."""
        return self.axis < len(self.inputs[0].shape) - 1

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """Of the elements that are chosen."""
        return inputs[0] if self.is_channelwise else super().channel_ranges(inputs)

    def describe(self) -> str:
        """The axis."""
        return f"axis {self.axis}"


class PortableGather(Kernel[Gather]):
    """On any core."""

    def call(self, view: Gather) -> RowCall | FlatCall:
        """A column for each position before the axis, of a row where the axis is within rows."""
        source, output = view.inputs[0], view.outputs[0]
        inner = int(np.prod(source.shape[view.axis + 1 :], dtype=np.int64))
        size = source.shape[view.axis] if source.shape else 1
        outer = source.elements // (size * inner)
        kernel = "gather.h", f"tinycc_gather_{source.dtype}", "tinycc_gather"
        shape = {"size": size, "count": view.indices.size, "inner": inner}
        data = {"indices": view.indices}
        if view.axis == len(source.shape) - 1:
            return FlatCall(
                *kernel,
                shape=shape,
                data=data,
                inputs=(source.elements,),
                columns=outer,
                elements=output.elements,
            )
        is_by_rows = view.axis == len(source.shape) - 2
        rows = outer if is_by_rows else 1
        return RowCall(
            *kernel,
            shape=shape,
            data=data,
            windows=(RowWindow(input_rows=rows, row_elements=source.elements // rows),),
            rows=rows,
            columns=outer // rows,
            row_elements=output.elements // rows,
            pixel_columns=0 if is_by_rows else 1,
        )


ROOM = Room(Gather, (PortableGather(),))
