"""Converters of single operators where TVM's importer refuses, misreads, or leaves the normal form.

It has no padding by name, reads pools that round up in its own way, and imports adaptive pooling, splits and
slices as operators that the normal form does not have. Layouts are torch's, [N, C, (H,) W].
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.padding import padded
from tinycc.frontend.torch_check import FIXED_RANGES, has_fixed_range
from tinycc.frontend.torch_program import arguments, operator, shape_of, title

PADDING_MODES = ("constant", "reflect", "replicate", "circular")

Converter = Callable[[torch.fx.Node, Any], Any]


def _source(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """The operand that the operator's schema calls "self" or "input"."""
    given = arguments(node)
    return importer.env[given.get("self", given.get("input"))]


def _each(value: Any, rank: int) -> list[int]:
    """A number for each spatial axis, where one may stand for all."""
    numbers = [int(number) for number in value] if isinstance(value, Sequence) else [int(value)]
    return numbers * rank if len(numbers) == 1 else numbers


def _padded_by_name(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """Convolution with padding="same" or "valid"; with an odd total "same" pads one more at the end."""
    given = arguments(node)
    operands = [importer.env[given[name]] for name in ("input", "weight")]
    kernel = tvm_adapter.shape_of(operands[1])[2:]
    dilation = _each(given["dilation"], len(kernel))
    totals = [step * (size - 1) for step, size in zip(dilation, kernel, strict=True)]
    if given["padding"] == "valid":
        totals = [0] * len(kernel)
    padding = [total // 2 for total in totals] + [total - total // 2 for total in totals]
    convolution = relax.op.nn.conv2d if len(kernel) == 2 else relax.op.nn.conv1d
    result = importer.block_builder.emit(
        convolution(
            *operands,
            strides=_each(given["stride"], len(kernel)),
            padding=padding,
            dilation=dilation,
            groups=int(given["groups"]),
        )
    )
    if given["bias"] is None:
        return result
    bias = relax.op.reshape(importer.env[given["bias"]], (1, -1, *(1 for _ in kernel)))
    return importer.block_builder.emit(relax.op.add(result, bias))


def _pool_geometry(node: torch.fx.Node) -> tuple[list[int], list[int], list[int], list[int]]:
    """Window, strides, dilation and padding (at the begins, then at the ends) of a pool.

    With ceil_mode the padding at the ends grows until the last window fits; a window must begin inside the
    input or the padding before it.
    """
    given = arguments(node)
    spatial = shape_of(node.all_input_nodes[0])[2:]
    rank = len(spatial)
    if rank not in (1, 2):
        raise UnsupportedError(f"{title(node)}: its input must have a batch axis")
    kernel = _each(given["kernel_size"], rank)
    strides = _each(given["stride"] or kernel, rank)
    dilation = _each(given.get("dilation", 1), rank)
    begins = _each(given["padding"], rank)
    ends = list(begins)
    for axis, size in enumerate(spatial):
        if given["ceil_mode"]:
            reach = (kernel[axis] - 1) * dilation[axis] + 1
            count = -(-(size + 2 * begins[axis] - reach) // strides[axis]) + 1
            if (count - 1) * strides[axis] >= size + begins[axis]:
                count -= 1
            ends[axis] = max(ends[axis], (count - 1) * strides[axis] + reach - size - begins[axis])
    return kernel, strides, dilation, begins + ends


def _max_pool(node: torch.fx.Node, importer: Any) -> relax.Expr:
    kernel, strides, dilation, padding = _pool_geometry(node)
    pool = relax.op.nn.max_pool2d if len(kernel) == 2 else relax.op.nn.max_pool1d
    return importer.block_builder.emit(
        pool(_source(node, importer), kernel, strides=strides, padding=padding, dilation=dilation)
    )


def _average_pool(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """Average pooling; padding that counts is written as padding of the input, a single window as a mean."""
    given = arguments(node)
    kernel, strides, _, padding = _pool_geometry(node)
    source = _source(node, importer)
    if given.get("divisor_override") is not None:
        raise UnsupportedError(f"{title(node)}: divisor_override is not supported")
    rank = len(kernel)
    begins, ends = padding[:rank], padding[rank:]
    if tuple(kernel) == shape_of(node.all_input_nodes[0])[2:] and not any(padding):
        return importer.block_builder.emit(relax.op.mean(source, list(range(2, 2 + rank)), keepdims=True))
    if given["count_include_pad"] and any(padding):
        if begins != ends:
            raise UnsupportedError(
                f"{title(node)}: ceil_mode needs count_include_pad=False where it adds padding"
            )
        widths = [0] * 4 + [size for size in begins for _ in range(2)]
        source = importer.block_builder.emit(relax.op.nn.pad(source, widths))
        padding = [0] * (2 * rank)
    pool = relax.op.nn.avg_pool2d if rank == 2 else relax.op.nn.avg_pool1d
    return importer.block_builder.emit(pool(source, kernel, strides=strides, padding=padding))


def _adaptive_average_pool(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """To one pixel a mean; otherwise average pooling, where the output divides the input."""
    source = _source(node, importer)
    spatial, wanted = shape_of(node.all_input_nodes[0])[2:], shape_of(node)[2:]
    if all(size == 1 for size in wanted):
        axes = list(range(2, 2 + len(spatial)))
        return importer.block_builder.emit(relax.op.mean(source, axes, keepdims=True))
    if any(size % parts for size, parts in zip(spatial, wanted, strict=True)):
        raise UnsupportedError(
            f"{title(node)}: adaptive pooling from {spatial} to {wanted} has windows of different sizes"
        )
    kernel = [size // parts for size, parts in zip(spatial, wanted, strict=True)]
    pool = relax.op.nn.avg_pool2d if len(kernel) == 2 else relax.op.nn.avg_pool1d
    return importer.block_builder.emit(pool(source, kernel, strides=kernel))


def _sum(function: Callable[[relax.Expr, relax.Expr], relax.Expr]) -> Converter:
    """The operators add and sub, whose second operand may be scaled."""

    def convert(node: torch.fx.Node, importer: Any) -> relax.Expr:
        given = arguments(node)
        if given["alpha"] != 1:
            raise UnsupportedError(f"{title(node)}: alpha = {given['alpha']} is not supported, only 1")
        operands = [
            importer.env[value] if isinstance(value, torch.fx.Node) else relax.const(value, "float32")
            for value in (given["self"], given["other"])
        ]
        return importer.block_builder.emit(function(*operands))

    return convert


def _relu6(node: torch.fx.Node, importer: Any) -> relax.Expr:
    return importer.block_builder.emit(relax.op.clip(_source(node, importer), 0, 6))


def _hard_swish(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """Hard swish: x * clip(x + 3, 0, 6) / 6, in the order that has an integer form of its own."""
    value = _source(node, importer)
    gate = relax.op.clip(relax.op.add(value, relax.const(3.0, "float32")), 0, 6)
    product = relax.op.divide(relax.op.multiply(value, gate), relax.const(6.0, "float32"))
    return importer.block_builder.emit(product)


def _fixed_range(function: Callable[[torch.fx.Node, relax.Expr], relax.Expr]) -> Converter:
    """softmax, sigmoid and tanh, quantized where the module returns their real numbers."""

    def convert(node: torch.fx.Node, importer: Any) -> relax.Expr:
        real = importer.block_builder.emit(function(node, _source(node, importer)))
        if not has_fixed_range(node):
            return real
        scale, zero_point = FIXED_RANGES[operator(node)]
        constants = (relax.const(scale, "float32"), relax.const(zero_point, "int32"))
        integers = importer.block_builder.emit(relax.op.quantize(real, *constants, axis=0, out_dtype="int8"))
        return importer.block_builder.emit(relax.op.dequantize(integers, *constants, axis=0))

    return convert


def _softmax(node: torch.fx.Node, real: relax.Expr) -> relax.Expr:
    return relax.op.nn.softmax(real, int(arguments(node)["dim"]))


def _reshape(node: torch.fx.Node, importer: Any) -> relax.Expr:
    return importer.block_builder.emit(relax.op.reshape(_source(node, importer), shape_of(node)))


def _sliced(importer: Any, source: relax.Expr, axis: int, begin: int, end: int, step: int = 1) -> relax.Expr:
    if (begin, end, step) == (0, tvm_adapter.shape_of(source)[axis], 1):
        return source
    return importer.block_builder.emit(relax.op.strided_slice(source, [axis], [begin], [end], [step]))


def _slice(node: torch.fx.Node, importer: Any) -> relax.Expr:
    given, source = arguments(node), _source(node, importer)
    shape = tvm_adapter.shape_of(source)
    axis = int(given["dim"]) % len(shape)
    begin, end, step = slice(given["start"], given["end"], given["step"]).indices(shape[axis])
    return _sliced(importer, source, axis, begin, end, step)


def _select(node: torch.fx.Node, importer: Any) -> relax.Expr:
    given, source = arguments(node), _source(node, importer)
    shape = tvm_adapter.shape_of(source)
    axis = int(given["dim"]) % len(shape)
    index = int(given["index"]) % shape[axis]
    part = _sliced(importer, source, axis, index, index + 1)
    return importer.block_builder.emit(relax.op.squeeze(part, [axis]))


def _split(node: torch.fx.Node, importer: Any) -> list[relax.Expr]:
    """split, split_with_sizes and chunk as one slice for each part."""
    source = _source(node, importer)
    axis = int(arguments(node)["dim"]) % len(tvm_adapter.shape_of(source))
    parts, begin = [], 0
    for value in node.meta["val"]:
        size = int(value.shape[axis])
        parts.append(_sliced(importer, source, axis, begin, begin + size))
        begin += size
    return parts


def _pad(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """Padding of the last axes, the last of them first; negative widths cut, after a reflection."""
    given, value = arguments(node), _source(node, importer)
    mode = given.get("mode", "constant")
    sides = [int(width) for width in given["pad"]]
    rank = len(tvm_adapter.shape_of(value))
    if mode not in PADDING_MODES or len(sides) % 2 or len(sides) > 2 * rank:
        raise UnsupportedError(f"{title(node)}: padding {sides} in the mode {mode!r} is not supported")
    widths = [(0, 0)] * (rank - len(sides) // 2)
    widths += [(sides[index], sides[index + 1]) for index in range(len(sides) - 2, -1, -2)]

    def cut(expr: relax.Expr) -> relax.Expr:
        for axis, (before, after) in enumerate(widths):
            end = tvm_adapter.shape_of(expr)[axis] + min(0, after)
            expr = _sliced(importer, expr, axis, max(0, -before), end)
        return expr

    added = [(max(0, before), max(0, after)) for before, after in widths]
    value = value if mode == "reflect" else cut(value)
    if any(map(any, added)):
        if mode == "constant":
            flat = [width for pair in added for width in pair]
            value = relax.op.nn.pad(value, flat, "constant", given["value"] or 0)
        else:
            value = padded(importer.block_builder, value, added, mode)
        value = importer.block_builder.emit(value)
    return cut(value) if mode == "reflect" else value


def _nearest(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """Nearest neighbour: source index = floor(index * input size / output size)."""
    resized = relax.op.image.resize2d(
        _source(node, importer),
        relax.ShapeExpr(shape_of(node)[2:]),
        layout="NCHW",
        method="nearest_neighbor",
        coordinate_transformation_mode="asymmetric",
        rounding_method="floor",
    )
    return importer.block_builder.emit(resized)


CONVERTERS: dict[str, Converter] = {
    "_softmax.default": _fixed_range(_softmax),
    "_unsafe_view.default": _reshape,
    "adaptive_avg_pool1d.default": _adaptive_average_pool,
    "adaptive_avg_pool2d.default": _adaptive_average_pool,
    "add.Tensor": _sum(relax.op.add),
    "avg_pool1d.default": _average_pool,
    "avg_pool2d.default": _average_pool,
    "chunk.default": _split,
    "conv1d.padding": _padded_by_name,
    "conv2d.padding": _padded_by_name,
    "hardswish.default": _hard_swish,
    "constant_pad_nd.default": _pad,
    "max_pool1d.default": _max_pool,
    "max_pool2d.default": _max_pool,
    "pad.default": _pad,
    "relu6.default": _relu6,
    "select.int": _select,
    "sigmoid.default": _fixed_range(lambda node, real: relax.op.sigmoid(real)),
    "slice.Tensor": _slice,
    "softmax.int": _fixed_range(_softmax),
    "split.Tensor": _split,
    "split_with_sizes.default": _split,
    "sub.Tensor": _sum(relax.op.subtract),
    "tanh.default": _fixed_range(lambda node, real: relax.op.tanh(real)),
    "upsample_nearest2d.vec": _nearest,
}
