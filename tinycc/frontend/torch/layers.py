"""Layers with weights, pools and resizing of torch as Relax."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.torch.base import Converter, each, emit, reshaped, source_of, spatial_of
from tinycc.frontend.torch.batch_norm import factor_and_offset
from tinycc.frontend.torch.nodes import arguments, shape_of, title
from tinycc.frontend.torch.program import CONSTANT


def _convolution(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """In one or two dimensions; padding by name: with an odd total "same" pads one more at the end."""
    given = arguments(node)
    value, weight = (importer.env[given[name]] for name in ("input", "weight"))
    kernel = tvm_adapter.shape_of(weight)[2:]
    rank = len(kernel)
    spatial_of(node, value, rank)
    dilation = each(given["dilation"], rank)
    totals = [step * (size - 1) for step, size in zip(dilation, kernel, strict=True)]
    if given["padding"] == "same":
        padding = [total // 2 for total in totals] + [total - total // 2 for total in totals]
    else:
        padding = 2 * each(0 if given["padding"] == "valid" else given["padding"], rank)
    function = relax.op.nn.conv2d if rank == 2 else relax.op.nn.conv1d
    result = function(
        value,
        weight,
        strides=each(given["stride"], rank),
        padding=padding,
        dilation=dilation,
        groups=given["groups"],
    )
    return _with_bias(node, importer, emit(importer, result))


def _transposed_convolution(node: torch.fx.Node, importer: Any) -> relax.Expr:
    given = arguments(node)
    value, weight = (importer.env[given[name]] for name in ("input", "weight"))
    spatial_of(node, value, 2)
    strides, added = each(given["stride"], 2), each(given["output_padding"], 2)
    if any(more >= stride for more, stride in zip(added, strides, strict=True)):
        raise UnsupportedError(
            f"{title(node)}: output_padding = {added} is not less than the stride {strides}"
        )
    padding = 2 * each(given["padding"], 2)
    result = relax.op.nn.conv2d_transpose(
        value, weight, strides=strides, padding=padding, output_padding=added
    )
    return _with_bias(node, importer, emit(importer, result))


def _with_bias(node: torch.fx.Node, importer: Any, value: relax.Expr) -> relax.Expr:
    bias = arguments(node)["bias"]
    if bias is None:
        return value
    rank = len(tvm_adapter.shape_of(value))
    shaped = emit(importer, relax.op.reshape(importer.env[bias], (1, -1, *(1,) * (rank - 2))))
    return emit(importer, relax.op.add(value, shaped))


def _linear(node: torch.fx.Node, importer: Any) -> relax.Expr:
    given = arguments(node)
    value, weight = (importer.env[given[name]] for name in ("input", "weight"))
    bias = None if given["bias"] is None else importer.env[given["bias"]]
    return emit(importer, relax.op.linear(value, weight, bias))


def _matrix_product(node: torch.fx.Node, importer: Any) -> relax.Expr:
    given = arguments(node)
    return emit(importer, relax.op.matmul(*(importer.env[operand] for operand in given.values())))


def _constant(node: torch.fx.Node) -> torch.Tensor:
    """The array that a node of the program stands for; UnsupportedError where it is computed."""
    if CONSTANT not in node.meta:
        raise UnsupportedError("statistics that are computed are not supported")
    return torch.from_numpy(node.meta[CONSTANT])


def _batch_norm(node: torch.fx.Node, importer: Any) -> list[relax.Expr]:
    """A factor and an offset for each channel; after a layer they go into its weights and bias."""
    given = arguments(node)
    value = importer.env[given["input"]]
    shape = (1, -1, *(1,) * (len(tvm_adapter.shape_of(value)) - 2))
    factor, offset = (
        tvm_adapter.make_constant(number.numpy().reshape(shape))
        for number in factor_and_offset(given, _constant)
    )
    return [emit(importer, relax.op.add(emit(importer, relax.op.multiply(value, factor)), offset))]


def _pool_geometry(
    node: torch.fx.Node, value: relax.Expr, rank: int
) -> tuple[list[int], list[int], list[int], list[int]]:
    """Window, strides, dilation and padding (at the begins, then at the ends) of a pool.

    With ceil_mode the padding at the ends grows until the last window fits; a window must begin inside the
    input or the padding before it.
    """
    given = arguments(node)
    spatial = spatial_of(node, value, rank)
    kernel = each(given["kernel_size"], rank)
    strides = each(given["stride"] or kernel, rank)
    dilation = each(given.get("dilation", 1), rank)
    begins = each(given["padding"], rank)
    ends = list(begins)
    for axis, size in enumerate(spatial):
        if given["ceil_mode"]:
            reach = (kernel[axis] - 1) * dilation[axis] + 1
            count = -(-(size + 2 * begins[axis] - reach) // strides[axis]) + 1
            if (count - 1) * strides[axis] >= size + begins[axis]:
                count -= 1
            ends[axis] = max(ends[axis], (count - 1) * strides[axis] + reach - size - begins[axis])
    return kernel, strides, dilation, begins + ends


def _max_pool(rank: int) -> Converter:
    pool = relax.op.nn.max_pool2d if rank == 2 else relax.op.nn.max_pool1d

    def convert(node: torch.fx.Node, importer: Any) -> relax.Expr:
        value = source_of(node, importer)
        kernel, strides, dilation, padding = _pool_geometry(node, value, rank)
        return emit(importer, pool(value, kernel, strides=strides, padding=padding, dilation=dilation))

    return convert


def _average_pool(rank: int) -> Converter:
    """Padding that counts is written as padding of the input, a single window as a mean."""
    pool = relax.op.nn.avg_pool2d if rank == 2 else relax.op.nn.avg_pool1d

    def convert(node: torch.fx.Node, importer: Any) -> relax.Expr:
        value = source_of(node, importer)
        kernel, strides, _, padding = _pool_geometry(node, value, rank)
        begins, ends = padding[:rank], padding[rank:]
        if tuple(kernel) == spatial_of(node, value, rank) and not any(padding):
            return emit(importer, relax.op.mean(value, list(range(2, 2 + rank)), keepdims=True))
        if arguments(node)["count_include_pad"] and any(padding):
            if begins != ends:
                raise UnsupportedError(
                    f"{title(node)}: ceil_mode needs count_include_pad=False where it adds padding"
                )
            widths = [0] * 4 + [size for size in begins for _ in range(2)]
            value = emit(importer, relax.op.nn.pad(value, widths))
            padding = [0] * (2 * rank)
        return emit(importer, pool(value, kernel, strides=strides, padding=padding))

    return convert


Reduction = Callable[..., relax.Expr]


def _adaptive_pool(rank: int, pools: Sequence[Reduction], reduction: Reduction) -> Converter:
    """To one pixel a reduction; otherwise a pool, where the output divides the input."""

    def convert(node: torch.fx.Node, importer: Any) -> relax.Expr:
        value = source_of(node, importer)
        spatial = spatial_of(node, value, rank)
        wanted = _adaptive_size(node, spatial)
        if all(size == 1 for size in wanted):
            return emit(importer, reduction(value, list(range(2, 2 + rank)), keepdims=True))
        if any(size % parts for size, parts in zip(spatial, wanted, strict=True)):
            raise UnsupportedError(
                f"{title(node)}: adaptive pooling from {spatial} to {wanted} has windows of different sizes"
            )
        kernel = [size // parts for size, parts in zip(spatial, wanted, strict=True)]
        return emit(importer, pools[rank - 1](value, kernel, strides=kernel))

    return convert


def _adaptive_size(node: torch.fx.Node, spatial: tuple[int, ...]) -> tuple[int, ...]:
    value = node.meta["val"]
    first = value if isinstance(value, torch.Tensor) else value[0]
    wanted = tuple(int(size) for size in first.shape[2:])
    if not all(wanted):
        raise UnsupportedError(f"{title(node)}: pooling from {spatial} to {wanted} leaves nothing")
    return wanted


def _values_alone(convert: Converter) -> Converter:
    """Of an operator whose second result are indices, which nobody may read."""

    def converted(node: torch.fx.Node, importer: Any) -> list[relax.Expr]:
        if any(reader.args[1] != 0 for reader in node.users):
            raise UnsupportedError(f"{title(node)}: the indices it returns are not supported")
        return [convert(node, importer)]

    return converted


AVERAGES = (relax.op.nn.avg_pool1d, relax.op.nn.avg_pool2d)
MAXIMA = (relax.op.nn.max_pool1d, relax.op.nn.max_pool2d)


def _scales(node: torch.fx.Node, spatial: tuple[int, ...], wanted: tuple[int, ...]) -> list[np.float32]:
    """Input pixels for an output pixel, as torch computes them: of the scales where they are given."""
    given = arguments(node)
    if given["output_size"] is not None and len(given["output_size"]) != len(spatial):
        raise UnsupportedError(f"{title(node)}: output_size = {given['output_size']} is not supported")
    scales = given.get("scale_factors", [given.get("scales_h"), given.get("scales_w")])
    if scales is None:
        scales = [None] * len(spatial)
    return [
        np.float32(size) / np.float32(count) if scale is None else np.float32(1.0 / scale)
        for size, count, scale in zip(spatial, wanted, scales, strict=True)
    ]


def _resized(
    importer: Any, value: relax.Expr, wanted: tuple[int, ...], method: str, mode: str, rounding: str
) -> relax.Expr:
    """One dimension is resized as two of one row."""
    shape = tvm_adapter.shape_of(value)
    image = reshaped(importer, value, shape if len(shape) == 4 else (*shape[:2], 1, shape[2]))
    resized = relax.op.image.resize2d(
        image,
        relax.ShapeExpr(wanted if len(wanted) == 2 else (1, *wanted)),
        layout="NCHW",
        method=method,
        coordinate_transformation_mode=mode,
        rounding_method=rounding,
    )
    return reshaped(importer, emit(importer, resized), (*shape[:2], *wanted))


def _nearest(rank: int, exact: bool = False) -> Converter:
    """Source index = floor(index * scale), or of the pixel's centre where it is exact."""

    def convert(node: torch.fx.Node, importer: Any) -> relax.Expr:
        value = source_of(node, importer)
        spatial, wanted = spatial_of(node, value, rank), shape_of(node)[2:]
        centre = np.float32(0.5 if exact else 0)
        for size, count, scale in zip(spatial, wanted, _scales(node, spatial, wanted), strict=True):
            index = np.arange(count)
            ratio = (2 * index + 1) * size // (2 * count) if exact else index * size // count
            if not np.array_equal(np.minimum(np.floor((index + centre) * scale), size - 1), ratio):
                raise UnsupportedError(
                    f"{title(node)}: it chooses other pixels than the ratio of the sizes "
                    f"{size} and {count} does; give the size in place of a scale factor"
                )
        if exact:
            return _resized(importer, value, wanted, "nearest_neighbor", "half_pixel", "round_prefer_ceil")
        return _resized(importer, value, wanted, "nearest_neighbor", "asymmetric", "floor")

    return convert


def _bilinear(node: torch.fx.Node, importer: Any) -> relax.Expr:
    value = source_of(node, importer)
    spatial, wanted = spatial_of(node, value, 2), shape_of(node)[2:]
    corners = bool(arguments(node)["align_corners"])
    for size, count, scale in zip(spatial, wanted, _scales(node, spatial, wanted), strict=True):
        if not corners and not np.isclose(scale, size / count, rtol=1e-6):
            raise UnsupportedError(
                f"{title(node)}: its scale factor is not the ratio of the sizes {size} and {count}; "
                "give the size in place of a scale factor"
            )
    return _resized(importer, value, wanted, "linear", "align_corners" if corners else "half_pixel", "round")


CONVERTERS: dict[str, Converter] = {
    "aten.conv1d.default": _convolution,
    "aten.conv1d.padding": _convolution,
    "aten.conv2d.default": _convolution,
    "aten.conv2d.padding": _convolution,
    "aten.conv_transpose2d.input": _transposed_convolution,
    "aten.linear.default": _linear,
    "aten.matmul.default": _matrix_product,
    "aten.bmm.default": _matrix_product,
    "aten._native_batch_norm_legit_no_training.default": _batch_norm,
    "aten.avg_pool1d.default": _average_pool(1),
    "aten.avg_pool2d.default": _average_pool(2),
    "aten.max_pool1d.default": _max_pool(1),
    "aten.max_pool2d.default": _max_pool(2),
    "aten.adaptive_avg_pool1d.default": _adaptive_pool(1, AVERAGES, relax.op.mean),
    "aten.adaptive_avg_pool2d.default": _adaptive_pool(2, AVERAGES, relax.op.mean),
    "aten.adaptive_max_pool1d.default": _values_alone(_adaptive_pool(1, MAXIMA, relax.op.max)),
    "aten.adaptive_max_pool2d.default": _values_alone(_adaptive_pool(2, MAXIMA, relax.op.max)),
    "aten.upsample_bilinear2d.default": _bilinear,
    "aten.upsample_bilinear2d.vec": _bilinear,
    "aten.upsample_nearest1d.vec": _nearest(1),
    "aten.upsample_nearest2d.default": _nearest(2),
    "aten.upsample_nearest2d.vec": _nearest(2),
    "aten._upsample_nearest_exact2d.vec": _nearest(2, exact=True),
}
