"""Padding that no consumer could take in: by a constant, or by the tensor's own elements."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax
from tvm.relax.dpl import is_const, is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops.base import MOVED, MOVED_TYPES, ElementTypes
from tinycc.ops.border import Border
from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import ColumnWindow, RowWindow
from tinycc.ops.tensor import Tensor


def _symmetric_widths(take: relax.Call) -> tuple[int, int] | None:
    """(before, after) where a take repeats an axis around itself in reverse, and is nothing else."""
    indices = tvm_adapter.constant_value(take.args[1])
    if take.attrs.axis is None or indices.ndim != 1:
        return None
    size = tvm_adapter.shape_of(take.args[0])[int(take.attrs.axis)]
    total = indices.size - size
    if total == 0:  # All elements as they are: a choice like others.
        return None
    for before in range(max(0, total - size), min(size, total) + 1):
        wanted = [Border.SYMMETRIC.inside(index - before, size) for index in range(indices.size)]
        if np.array_equal(indices, wanted):
            return before, total - before
    return None


def _is_symmetric(context: PatternCheckContext) -> bool:
    """Whether all takes of a match pad one image, each of another axis; nobody else reads the inner ones."""
    takes = [context.matched_expr]
    while (operand := takes[-1].args[0]) in context.matched_bindings:
        if len(context.var_usages[operand]) != 1:
            return False
        takes.append(context.matched_bindings[operand])
    axes = {int(take.attrs.axis) for take in takes if _symmetric_widths(take)}
    shape = tvm_adapter.shape_of(takes[-1].args[0])
    # Rows only where they are all of the same image.
    first = len(shape) - (3 if math.prod(shape[:-3]) == 1 else 2)
    return len(axes) == len(takes) and min(axes) >= first


@dataclass(frozen=True, eq=False)
class Pad(ChannelDependence):
    """A tensor with elements around it.

    before, after: elements added in each dimension of [rows, width, channels].
    border: whence they are taken; None where all of them are pad_value.
    """

    before: tuple[int, int, int]
    after: tuple[int, int, int]
    pad_value: float
    border: Border | None = None

    kind: ClassVar[str] = "pad"
    element_types: ClassVar[ElementTypes] = MOVED

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """nn.pad(x); for symmetric padding, which Relax does not have, a take for each axis."""
        patterns = []
        for dtype in MOVED_TYPES:
            source = wildcard().has_dtype(dtype)
            patterns.append(FusionPattern("tinycc.pad", is_op("relax.nn.pad")(source)))
            one = is_op("relax.take")(source, is_const())
            two = is_op("relax.take")(one, is_const())
            three = is_op("relax.take")(two, is_const())
            patterns += [FusionPattern("tinycc.pad", take, {}, _is_symmetric) for take in (three, two, one)]
        return patterns

    @classmethod
    def from_composite(cls, composite: Composite) -> "Pad":
        """Read the mode, and the widths before and after in each dimension."""
        takes, output = composite.calls("relax.take"), composite.result()
        border: Border | None = Border.SYMMETRIC
        if takes:
            source, value = composite.tensor(takes[0].args[0]), 0.0
            widths = np.zeros((len(source.shape), 2), int)
            for take in takes:
                widths[int(take.attrs.axis)] += _symmetric_widths(take)
        else:
            call = composite.call("relax.nn.pad")
            source, value = composite.tensor(call.args[0]), _pad_value(call)
            mode = str(call.attrs.pad_mode)
            border = None if mode == "constant" else Border(mode)
            widths = np.array([int(width) for width in call.attrs.pad_width]).reshape(-1, 2)
        before, after = _around_rows(source, widths)
        for size, *sides in zip((source.height, source.width, source.channels), before, after, strict=True):
            reach = None if border is None else border.reach(size)
            if min(sides) < 0 or (reach is not None and max(sides) > reach):
                raise ValueError(f"padding of {size} elements by {max(sides, key=abs)} is not supported")
        return cls((source,), (output,), before, after, value, border)

    @property
    def is_channelwise(self) -> bool:
        """Unless channels are added."""
        return self.before[2] == self.after[2] == 0

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """Those of the input; a constant is a value, too."""
        if not self.is_channelwise:
            return super().channel_ranges(inputs)
        return inputs[0].joined(int(self.pad_value)) if self.border is None else inputs[0]

    def describe(self) -> str:
        """Whence the elements are taken."""
        return "" if self.border is None else self.border.value


def _pad_value(call: relax.Call) -> float:
    """Of the element type."""
    value = float(call.attrs.pad_value)
    return value if tvm_adapter.dtype_of(call.args[0]) == "float32" else int(value)


def _around_rows(source: Tensor, widths: np.ndarray) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Widths [rank, 2] as those before and after in [rows, width, channels].

    ValueError where rows of several images are padded, or images are added.
    """
    rank = len(source.shape)
    widths = np.concatenate([np.zeros((max(0, 3 - rank), 2), int), widths])
    if widths[:-3].any() or (widths[-3].any() and source.height != source.shape[-3]):
        raise ValueError("padding of the batch dimension is not supported")
    before, after = (tuple(int(width) for width in widths[-3:, side]) for side in (0, 1))
    return (before[0], before[1], before[2]), (after[0], after[1], after[2])


class PortablePad(Kernel[Pad]):
    """On any core."""

    def call(self, view: Pad) -> RowCall:
        """One call for each output row."""
        source, output = view.inputs[0], view.outputs[0]
        is_constant = view.border is None
        kernel = "pad" if is_constant else "pad_border"
        name = "pad" if view.border is None else f"pad_{view.border.value}"
        return RowCall(
            header=f"{kernel}.h",
            function=f"tinycc_{name}_{source.dtype}",
            struct=f"tinycc_{kernel}" + ("_float" if is_constant and source.dtype == "float32" else ""),
            shape={
                "input_width": source.width,
                "input_channels": source.channels,
                "pad_left": view.before[1],
                "channels_before": view.before[2],
                "channels_after": view.after[2],
            },
            data={"pad_value": view.pad_value} if view.border is None else {"zero": 0},
            windows=(
                RowWindow(
                    input_rows=source.height,
                    row_elements=source.width * source.channels,
                    pad_top=view.before[0],
                    columns=ColumnWindow(source.width, pad_left=view.before[1], border=view.border),
                    as_array=view.border is None,
                    border=view.border,
                ),
            ),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )


ROOM = Room(Pad, (PortablePad(),))
