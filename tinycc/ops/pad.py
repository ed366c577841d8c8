"""Constant padding that no consumer could take in."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import ColumnWindow, KernelCall, Operator, RowWindow
from tinycc.ops.channel_ranges import ChannelRanges
from tinycc.ops.composite import Composite


@dataclass(frozen=True, eq=False)
class Pad(Operator):
    """A tensor with constant elements around it.

    before, after: elements added in each dimension of [rows, width, channels].
    """

    before: tuple[int, int, int]
    after: tuple[int, int, int]
    pad_value: int

    kind: ClassVar[str] = "pad"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """nn.pad(x) of integers."""
        return [
            FusionPattern("tinycc.pad", is_op("relax.nn.pad")(wildcard().has_dtype(dtype)))
            for dtype in ("int8", "int16")
        ]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Pad":
        """Read the widths, given as (before, after) for each dimension."""
        call = composite.call("relax.nn.pad")
        source, output = composite.tensor(call.args[0]), composite.result()
        widths = np.array([int(width) for width in call.attrs.pad_width]).reshape(-1, 2)
        rank = len(source.shape)
        widths = np.concatenate([np.zeros((max(0, 3 - rank), 2), int), widths])
        if widths[:-3].any():
            raise ValueError("padding of the batch dimension is not supported")
        before, after = (tuple(int(width) for width in widths[-3:, side]) for side in (0, 1))
        return cls(
            (source,),
            (output,),
            (before[0], before[1], before[2]),
            (after[0], after[1], after[2]),
            int(call.attrs.pad_value),
        )

    @property
    def is_channelwise(self) -> bool:
        """Unless channels are added."""
        return self.before[2] == self.after[2] == 0

    def channel_ranges(self, inputs: Sequence[ChannelRanges]) -> ChannelRanges:
        """The padding is a value, too."""
        return inputs[0].joined(self.pad_value) if self.is_channelwise else super().channel_ranges(inputs)

    def kernel(self) -> KernelCall:
        """One call for each output row."""
        source, output = self.inputs[0], self.outputs[0]
        return KernelCall(
            header="pad.h",
            function=f"tinycc_pad_{source.dtype}",
            struct="tinycc_pad",
            shape={
                "input_width": source.width,
                "input_channels": source.channels,
                "pad_left": self.before[1],
                "channels_before": self.before[2],
                "channels_after": self.after[2],
            },
            data={"pad_value": self.pad_value},
            windows=(
                RowWindow(
                    input_rows=source.height,
                    row_elements=source.width * source.channels,
                    pad_top=self.before[0],
                    columns=ColumnWindow(source.width, pad_left=self.before[1]),
                    as_array=True,
                ),
            ),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )
