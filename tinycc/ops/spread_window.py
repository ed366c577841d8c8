"""A sliding window backwards: the outputs whose windows hold a pixel of the input.

Output row oy has the input rows oy * stride - padding + j * dilation under its window, j being the tap; so
input row y is under the rows (y + padding - j * dilation) / stride, where that is a whole number. Columns
likewise.
"""

from collections.abc import Mapping

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit
from tinycc.ops.overlap import overlap_distance
from tinycc.ops.row_window import RowWindow
from tinycc.ops.tensor import ITEM_BYTES, Tensor
from tinycc.ops.window import Window

# Of layers that take pixels by themselves.
PIXEL = Window(kernel=(1, 1), stride=(1, 1), padding=(0, 0))


def window_attributes(window: Window) -> dict[str, object]:
    """A window as attributes of a composite function."""
    return {name: list(pair) for name, pair in vars(window).items()}


def read_window(composite: Composite) -> Window:
    """The window that `window_attributes` wrote."""
    return Window(*(_pair(composite, name) for name in ("kernel", "stride", "padding", "dilation")))


def _pair(composite: Composite, name: str) -> tuple[int, int]:
    vertical, horizontal = composite.integers(name)
    return vertical, horizontal


def rows_over(window: Window, tensor: Tensor) -> RowWindow:
    """The rows of a tensor of the window's outputs, NHWC, whose windows an input row may be under.

    The first of them is (y + padding - (taps - 1) * dilation) / stride, rounded up; others follow one by one.
    """
    reach = (window.kernel[0] - 1) * window.dilation[0]
    stride = window.stride[0]
    first = window.padding[0] - reach + stride - 1
    # Above 0, C rounds down as well.
    before = max(0, -(first // stride))
    return RowWindow(
        input_rows=tensor.height,
        row_elements=tensor.width * tensor.channels,
        rows=reach // stride + 1,
        offset=first + before * stride,
        divisor=stride,
        pad_top=before,
        as_array=True,
    )


def spread_shape(window: Window, source: Tensor, output: Tensor, groups: int) -> dict[str, int]:
    """The geometry of a kernel that goes through a window backwards. source: of its outputs' shape."""
    return {
        "gradient_height": source.height,
        "gradient_width": source.width,
        "gradient_channels": source.channels,
        "output_height": output.height,
        "output_width": output.width,
        "output_channels": output.channels,
        "kernel_height": window.kernel[0],
        "kernel_width": window.kernel[1],
        "stride_height": window.stride[0],
        "stride_width": window.stride[1],
        "dilation_height": window.dilation[0],
        "dilation_width": window.dilation[1],
        "pad_top": window.padding[0],
        "pad_left": window.padding[1],
        "groups": groups,
    }


def rowwise_overlap(window: Window, source: Tensor, output: Tensor) -> int:
    """Overlap distance of a kernel that may write an output row while it reads the rows that reach it."""
    rows = rows_over(window, source)
    first = np.array([rows.first_row(y) for y in range(output.height)])
    item = ITEM_BYTES[source.dtype]
    reads = np.clip(first, 0, source.height) * rows.row_elements * item
    ends = (np.arange(output.height) + 1) * output.width * output.channels * ITEM_BYTES[output.dtype]
    return overlap_distance(reads, ends, ends)


def spread_sums(
    emit: Emit, values: relax.Expr, weights: relax.Expr, window: Window, groups: int, shape: tuple[int, ...]
) -> relax.Var:
    """Relax that sums for every input of a convolution what lies over it, times the weight between them.

    values: float32 [1, output height, output width, outputs].
    weights: float32 [outputs, kernel height, kernel width, inputs / groups].
    shape: [1, height, width, inputs].
    """
    outputs, *kernel, inputs = tvm_adapter.shape_of(weights)
    for axis in (1, 2):
        # Zeros between the values where the window goes by more than one step, then as many around them that
        # a window over the taps in turned order gives each input its sum.
        spread = _spread(emit, values, axis, window.stride[axis - 1])
        reach = (kernel[axis - 1] - 1) * window.dilation[axis - 1]
        first = window.padding[axis - 1] - reach
        values = _cut(emit, spread, axis, first, shape[axis] + reach)
    turned = emit(relax.op.flip(emit(relax.op.flip(weights, 1)), 2))
    grouped = emit(relax.op.reshape(turned, (groups, outputs // groups, *kernel, inputs)))
    by_inputs = emit(relax.op.permute_dims(grouped, (0, 4, 2, 3, 1)))
    return emit(
        relax.op.nn.conv2d(
            values,
            emit(relax.op.reshape(by_inputs, (groups * inputs, *kernel, outputs // groups))),
            dilation=window.dilation,
            groups=groups,
            data_layout="NHWC",
            kernel_layout="OHWI",
            out_layout="NHWC",
        )
    )


def spread_tap(
    emit: Emit, values: relax.Expr, window: Window, tap: tuple[int, int], sizes: tuple[int, ...]
) -> relax.Expr:
    """Relax that puts values of outputs to the inputs that lie under one tap, 0 elsewhere.

    values: [1, output height, output width, channels]. sizes: height and width of the input.
    """
    for axis in (1, 2):
        first = tap[axis - 1] * window.dilation[axis - 1] - window.padding[axis - 1]
        values = _cut(
            emit, _spread(emit, values, axis, window.stride[axis - 1]), axis, -first, sizes[axis - 1]
        )
    return values


def gathered_tap(
    emit: Emit, values: relax.Expr, window: Window, tap: tuple[int, int], counts: tuple[int, ...]
) -> relax.Expr:
    """Relax that has for each output the input under one tap, 0 where that lies outside.

    values: [1, height, width, channels]. counts: height and width of the output.
    """
    for axis in (1, 2):
        first = tap[axis - 1] * window.dilation[axis - 1] - window.padding[axis - 1]
        stride, count = window.stride[axis - 1], counts[axis - 1]
        cut = _cut(emit, values, axis, first, (count - 1) * stride + 1)
        end = tvm_adapter.shape_of(cut)[axis]
        values = emit(relax.op.strided_slice(cut, [axis], [0], [end], [stride])) if stride > 1 else cut
    return values


def _spread(emit: Emit, values: relax.Expr, axis: int, stride: int) -> relax.Expr:
    """`stride` - 1 zeros behind each element along an axis."""
    if stride == 1:
        return values
    shape = list(tvm_adapter.shape_of(values))
    apart = emit(relax.op.expand_dims(values, axis + 1))
    widths = [0] * (2 * len(shape) + 2)
    widths[2 * axis + 3] = stride - 1
    padded = emit(relax.op.nn.pad(apart, widths))
    shape[axis] *= stride
    return emit(relax.op.reshape(padded, shape))


def _cut(emit: Emit, values: relax.Expr, axis: int, first: int, count: int) -> relax.Expr:
    """`count` elements from `first` on along an axis, zeros where there are none."""
    size = tvm_adapter.shape_of(values)[axis]
    begin, end = min(max(first, 0), size), min(max(first + count, 0), size)
    if (begin, end) != (0, size):
        values = emit(relax.op.strided_slice(values, [axis], [begin], [end]))
    widths = [0] * (2 * len(tvm_adapter.shape_of(values)))
    widths[2 * axis] = max(0, -first)
    widths[2 * axis + 1] = count - widths[2 * axis] - (end - begin)
    return emit(relax.op.nn.pad(values, widths)) if any(widths) else values


def attributes_of(window: Window, groups: int) -> Mapping[str, object]:
    """Those of a layer: its window and its groups."""
    return {**window_attributes(window), "groups": groups}
