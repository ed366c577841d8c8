"""Sliding windows of convolutions and pooling."""

from dataclasses import dataclass

import numpy as np
from tvm import relax

from tinycc.ops.overlap import overlap_distance
from tinycc.ops.row_window import ColumnWindow, RowWindow
from tinycc.ops.tensor import ITEM_BYTES, Tensor


@dataclass(frozen=True)
class Window:
    """Geometry of a sliding window, shared by convolutions and pooling; pairs are (vertical, horizontal).

    padding: rows above and columns to the left; what is needed below and to the right follows.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)

    @classmethod
    def of_call(cls, call: relax.Call, kernel: tuple[int, int]) -> "Window":
        """The window of a Relax convolution or pooling call; padding is (top, left, bottom, right)."""
        attrs = call.attrs
        stride, dilation = (tuple(int(size) for size in pair) for pair in (attrs.strides, attrs.dilation))
        padding = [int(size) for size in attrs.padding]
        return cls(kernel, (stride[0], stride[1]), (padding[0], padding[1]), (dilation[0], dilation[1]))

    def rows_of(self, tensor: Tensor) -> RowWindow:
        """The rows of an NHWC input that one output row needs."""
        return RowWindow(
            input_rows=tensor.height,
            row_elements=tensor.width * tensor.channels,
            rows=self.kernel[0],
            stride=self.stride[0],
            dilation=self.dilation[0],
            pad_top=self.padding[0],
            columns=ColumnWindow(
                input_columns=tensor.width,
                columns=self.kernel[1],
                stride=self.stride[1],
                dilation=self.dilation[1],
                pad_left=self.padding[1],
            ),
            as_array=True,
        )

    def is_inside(self, source: Tensor, output: Tensor) -> bool:
        """Whether no tap of any window lies outside the input."""
        return self.pixels_inside(source, output) == output.height * output.width

    def pixels_inside(self, source: Tensor, output: Tensor) -> int:
        """How many output pixels have no tap outside the input."""
        inside = 1
        sizes = (source.height, source.width), (output.height, output.width)
        for size, count, taps, stride, padding, dilation in zip(
            *sizes, self.kernel, self.stride, self.padding, self.dilation, strict=True
        ):
            first = np.arange(count) * stride - padding
            inside *= int(np.sum((first >= 0) & (first + (taps - 1) * dilation < size)))
        return inside

    def laid_out(self, source: np.ndarray, output: Tensor) -> np.ndarray:
        """The elements under all windows, 0 outside of the input.

        source: [1, height, width, channels]. Returns [output height, output width, taps, channels].
        """
        places, inside = [], []
        for axis, count in enumerate((output.height, output.width)):
            taps = np.arange(self.kernel[axis]) * self.dilation[axis]
            first = np.arange(count) * self.stride[axis] - self.padding[axis]
            place = first[:, np.newaxis] + taps
            inside.append((place >= 0) & (place < source.shape[axis + 1]))
            places.append(np.clip(place, 0, source.shape[axis + 1] - 1))
        rows, columns = places[0][:, np.newaxis, :, np.newaxis], places[1][np.newaxis, :, np.newaxis, :]
        is_inside = inside[0][:, np.newaxis, :, np.newaxis] & inside[1][np.newaxis, :, np.newaxis, :]
        values = source[0][rows, columns] * is_inside[..., np.newaxis]
        return values.reshape(output.height, output.width, -1, source.shape[-1])

    def first_reads(self, source: Tensor, output: Tensor) -> np.ndarray:
        """For each output pixel, in order, the byte of the first input pixel under the window."""
        row = np.maximum(np.arange(output.height) * self.stride[0] - self.padding[0], 0)
        column = np.maximum(np.arange(output.width) * self.stride[1] - self.padding[1], 0)
        pixel = row[:, None] * source.width + column[None, :]
        return (pixel * source.channels * ITEM_BYTES[source.dtype]).reshape(-1)

    def pixelwise_overlap(self, source: Tensor, output: Tensor) -> int:
        """Overlap distance of a kernel that writes the channels of a pixel while it reads the window."""
        item = ITEM_BYTES[output.dtype]
        ends = (np.arange(output.height * output.width) + 1) * output.channels * item
        return overlap_distance(self.first_reads(source, output), ends, ends - item)

    def windowwise_overlap(self, source: Tensor, output: Tensor) -> int:
        """Overlap distance of a kernel that has read a pixel's window before it writes the pixel."""
        item = ITEM_BYTES[output.dtype]
        ends = (np.arange(output.height * output.width) + 1) * output.channels * item
        return overlap_distance(self.first_reads(source, output), ends, ends - output.channels * item)

    def channelwise_overlap(self, source: Tensor, output: Tensor, together: int = 1) -> int:
        """Overlap distance of a kernel that writes so many channels of a pixel once their taps are read."""
        item = ITEM_BYTES[output.dtype]
        channel = np.arange(0, output.channels, together) * item
        pixel = np.arange(output.height * output.width)[:, None] * output.channels * item
        reads = (self.first_reads(source, output)[:, None] + channel).reshape(-1)
        ends = (pixel + np.minimum(channel + together * item, output.channels * item)).reshape(-1)
        return overlap_distance(reads, ends, (pixel + channel).reshape(-1))

    def tilewise_overlap(self, source: Tensor, output: Tensor, tile: int) -> int:
        """Overlap distance of a kernel that does tiles of a row's pixels, each channel by channel.

        All that a channel's outputs in a tile need is read before they are written. int8 only.
        """
        channels = np.arange(output.channels)
        first_column = np.arange(0, output.width, tile)
        pixels = np.arange(output.height)[:, None] * output.width + first_column
        ends = np.minimum(first_column + tile, output.width) - first_column + pixels
        reads = self.first_reads(source, output)[pixels.reshape(-1)]
        written = (ends.reshape(-1)[:, None] - 1) * output.channels + channels + 1
        before = np.concatenate([[0], written.reshape(-1)[:-1]])
        return overlap_distance((reads[:, None] + channels).reshape(-1), written.reshape(-1), before)

    def kernel_shape(self, source: Tensor) -> dict[str, int]:
        """The window's part of a kernel's geometry."""
        return {
            "input_width": source.width,
            "input_channels": source.channels,
            "kernel_height": self.kernel[0],
            "kernel_width": self.kernel[1],
            "stride_width": self.stride[1],
            "dilation_width": self.dilation[1],
            "pad_left": self.padding[1],
        }

    def describe(self) -> str:
        """E.g. "3x3 stride 2x2 dilation 2x2"."""
        text = f"{self.kernel[0]}x{self.kernel[1]}"
        if self.stride != (1, 1):
            text += f" stride {self.stride[0]}x{self.stride[1]}"
        if self.dilation != (1, 1):
            text += f" dilation {self.dilation[0]}x{self.dilation[1]}"
        return text
