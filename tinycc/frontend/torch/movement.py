"""What moves, cuts and joins torch tensors, as Relax."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.padding import padded
from tinycc.frontend.torch.base import Converter, axes_of, emit, listed, reshaped, source_of
from tinycc.frontend.torch.nodes import arguments, shape_of, title
from tinycc.frontend.torch.program import CONSTANT


def _identity(node: torch.fx.Node, importer: Any) -> relax.Expr:
    return source_of(node, importer)


def _reshape(node: torch.fx.Node, importer: Any) -> relax.Expr:
    return reshaped(importer, source_of(node, importer), shape_of(node))


def _permuted(importer: Any, value: relax.Expr, axes: Sequence[int]) -> relax.Expr:
    rank = len(axes)
    return emit(importer, relax.op.permute_dims(value, [axis % rank for axis in axes]))


def _permute(order: Callable[[dict[str, Any], list[int]], Sequence[int]]) -> Converter:
    """order: the axes of the result, from the arguments and the axes of the operand."""

    def convert(node: torch.fx.Node, importer: Any) -> relax.Expr:
        value = source_of(node, importer)
        axes = list(range(len(tvm_adapter.shape_of(value))))
        return _permuted(importer, value, order(arguments(node), axes)) if axes else value

    return convert


def _swapped(given: dict[str, Any], axes: list[int]) -> list[int]:
    first, second = given["dim0"], given["dim1"]
    axes[first], axes[second] = axes[second], axes[first]
    return axes


def _moved(given: dict[str, Any], axes: list[int]) -> list[int]:
    moved = axes.pop(given["source"])
    axes.insert(given["destination"] % (len(axes) + 1), moved)
    return axes


def _sliced(importer: Any, value: relax.Expr, axis: int, begin: int, end: int, step: int = 1) -> relax.Expr:
    if (begin, end, step) == (0, tvm_adapter.shape_of(value)[axis], 1):
        return value
    return emit(importer, relax.op.strided_slice(value, [axis], [begin], [end], [step]))


def _axis_of(node: torch.fx.Node, value: relax.Expr) -> int:
    [axis] = axes_of(arguments(node)["dim"], len(tvm_adapter.shape_of(value)))
    return axis


def _slice(node: torch.fx.Node, importer: Any) -> relax.Expr:
    given, value = arguments(node), source_of(node, importer)
    axis = _axis_of(node, value)
    bounds = slice(given["start"], given["end"], given["step"])
    return _sliced(importer, value, axis, *bounds.indices(tvm_adapter.shape_of(value)[axis]))


def _narrow(node: torch.fx.Node, importer: Any) -> relax.Expr:
    given, value = arguments(node), source_of(node, importer)
    axis = _axis_of(node, value)
    start = given["start"] if given["start"] >= 0 else given["start"] + tvm_adapter.shape_of(value)[axis]
    return _sliced(importer, value, axis, start, start + given["length"])


def _chosen(importer: Any, value: relax.Expr, axis: int, index: int) -> relax.Expr:
    """One index of an axis, which is gone then."""
    return emit(importer, relax.op.squeeze(_sliced(importer, value, axis, index, index + 1), [axis]))


def _select(node: torch.fx.Node, importer: Any) -> relax.Expr:
    value = source_of(node, importer)
    axis = _axis_of(node, value)
    index = arguments(node)["index"] % tvm_adapter.shape_of(value)[axis]
    return _chosen(importer, value, axis, index)


def _unbind(node: torch.fx.Node, importer: Any) -> list[relax.Expr]:
    value = source_of(node, importer)
    axis = _axis_of(node, value)
    return [_chosen(importer, value, axis, index) for index in range(tvm_adapter.shape_of(value)[axis])]


def _split(node: torch.fx.Node, importer: Any) -> list[relax.Expr]:
    """split, split_with_sizes and chunk as one slice for each part."""
    value = source_of(node, importer)
    axis = _axis_of(node, value)
    parts, begin = [], 0
    for part in node.meta["val"]:
        size = int(part.shape[axis])
        parts.append(_sliced(importer, value, axis, begin, begin + size))
        begin += size
    return parts


def _concatenate(node: torch.fx.Node, importer: Any) -> relax.Expr:
    given = arguments(node)
    rank = len(shape_of(node))
    return emit(
        importer, relax.op.concat([importer.env[item] for item in given["tensors"]], given["dim"] % rank)
    )


def _stack(node: torch.fx.Node, importer: Any) -> relax.Expr:
    given = arguments(node)
    axis = given["dim"] % len(shape_of(node))
    shape = [1 if place == axis else size for place, size in enumerate(shape_of(node))]
    parts = [reshaped(importer, importer.env[item], shape) for item in given["tensors"]]
    return emit(importer, relax.op.concat(parts, axis))


def _index_select(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """The indices are a constant of the program."""
    value = source_of(node, importer)
    axis, indices = _axis_of(node, value), arguments(node)["index"].meta.get(CONSTANT)
    size = tvm_adapter.shape_of(value)[axis]
    if indices is None or not all(0 <= index < size for index in indices.reshape(-1)):
        raise UnsupportedError(f"{title(node)}: its index must be a constant within the {size} elements")
    chosen = tvm_adapter.make_constant(indices.reshape(-1).astype(np.int32))
    return emit(importer, relax.op.take(value, chosen, axis, mode="clip"))


def _embedding(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """Rows of a table. Torch refuses an index outside of it."""
    table, indices = (importer.env[arguments(node)[name]] for name in ("weight", "indices"))
    return emit(importer, relax.op.take(table, indices, 0, mode="clip"))


def _flip(node: torch.fx.Node, importer: Any) -> relax.Expr:
    value = source_of(node, importer)
    for axis in listed(arguments(node)["dims"]):
        axis %= len(tvm_adapter.shape_of(value))
        size = tvm_adapter.shape_of(value)[axis]
        value = _sliced(importer, value, axis, size - 1, -size - 1, -1)
    return value


def _roll(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """The end of each axis before its beginning; without axes, of the flattened tensor."""
    given, value = arguments(node), source_of(node, importer)
    shape, shifts, axes = tvm_adapter.shape_of(value), listed(given["shifts"]), listed(given["dims"])
    if not axes:
        value, axes = reshaped(importer, value, (int(np.prod(shape)),)), [0]
    for shift, axis in zip(shifts, axes, strict=True):
        axis %= len(tvm_adapter.shape_of(value))
        size = tvm_adapter.shape_of(value)[axis]
        cut = -shift % size
        if cut:
            parts = [_sliced(importer, value, axis, cut, size), _sliced(importer, value, axis, 0, cut)]
            value = emit(importer, relax.op.concat(parts, axis))
    return reshaped(importer, value, shape)


def _repeat(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """Copies side by side, axes of one element in front where the result has more axes."""
    value, wanted = source_of(node, importer), shape_of(node)
    shape = tvm_adapter.shape_of(value)
    value = reshaped(importer, value, (1,) * (len(wanted) - len(shape)) + shape)
    for axis, (size, count) in enumerate(zip(tvm_adapter.shape_of(value), wanted, strict=True)):
        if count == 0:
            raise UnsupportedError(f"{title(node)}: its result has no elements")
        if count != size:
            value = emit(importer, relax.op.concat([value] * (count // size), axis))
    return value


def _pad(mode: str | None = None) -> Converter:
    """Padding of the last axes, the last of them first; negative widths cut, after a reflection.

    mode: None where it is an argument.
    """

    def convert(node: torch.fx.Node, importer: Any) -> relax.Expr:
        given, value = arguments(node), source_of(node, importer)
        kind = mode or given["mode"]
        sides = given["pad" if "pad" in given else "padding"]
        widths = _widths(node, sides, len(tvm_adapter.shape_of(value)))

        def cut(expr: relax.Expr) -> relax.Expr:
            for axis, (before, after) in enumerate(widths):
                end = tvm_adapter.shape_of(expr)[axis] + min(0, after)
                expr = _sliced(importer, expr, axis, max(0, -before), end)
            return expr

        added = [(max(0, before), max(0, after)) for before, after in widths]
        value = value if kind == "reflect" else cut(value)
        if any(map(any, added)):
            if kind == "constant":
                flat = [width for pair in added for width in pair]
                value = relax.op.nn.pad(value, flat, "constant", given["value"] or 0)
            else:
                value = padded(importer.block_builder, value, added, kind)
            value = emit(importer, value)
        return cut(value) if kind == "reflect" else value

    return convert


def _widths(node: torch.fx.Node, sides: Sequence[int], rank: int) -> list[tuple[int, int]]:
    """(before, after) for each axis."""
    if len(sides) % 2 or len(sides) > 2 * rank:
        raise UnsupportedError(f"{title(node)}: {len(sides)} widths for {rank} axes are not supported")
    given = [(sides[index], sides[index + 1]) for index in range(len(sides) - 2, -1, -2)]
    return [(0, 0)] * (rank - len(given)) + given


def _shuffle(
    split: Callable[[dict[str, Any], tuple[int, ...]], tuple[tuple[int, ...], tuple[int, ...]]],
) -> Converter:
    """Axes split, permuted and joined.

    split: from the arguments and [channels, rows, columns] to what these are split into, and in which order
        the parts follow.
    """

    def convert(node: torch.fx.Node, importer: Any) -> relax.Expr:
        value = source_of(node, importer)
        shape = tvm_adapter.shape_of(value)
        front = shape[:-3]
        if len(shape) < 4:
            raise UnsupportedError(f"{title(node)}: its input must have a batch axis")
        parts, order = split(arguments(node), shape[-3:])
        value = reshaped(importer, value, (*front, *parts))
        axes = [*range(len(front)), *(len(front) + axis for axis in order)]
        return reshaped(importer, _permuted(importer, value, axes), shape_of(node))

    return convert


def _pixels_from_channels(given: dict[str, Any], sizes: tuple[int, ...]) -> Any:
    factor, (channels, rows, columns) = given["upscale_factor"], sizes
    return (channels // factor**2, factor, factor, rows, columns), (0, 3, 1, 4, 2)


def _channels_from_pixels(given: dict[str, Any], sizes: tuple[int, ...]) -> Any:
    factor, (channels, rows, columns) = given["downscale_factor"], sizes
    return (channels, rows // factor, factor, columns // factor, factor), (0, 2, 4, 1, 3)


def _channels_from_groups(given: dict[str, Any], sizes: tuple[int, ...]) -> Any:
    groups, (channels, rows, columns) = given["groups"], sizes
    return (groups, channels // groups, rows, columns), (1, 0, 2, 3)


CONVERTERS: dict[str, Converter] = {
    "aten.view.default": _reshape,
    "aten._unsafe_view.default": _reshape,
    "aten.reshape.default": _reshape,
    "aten.flatten.using_ints": _reshape,
    "aten.unflatten.int": _reshape,
    "aten.squeeze.default": _reshape,
    "aten.squeeze.dim": _reshape,
    "aten.squeeze.dims": _reshape,
    "aten.unsqueeze.default": _reshape,
    "aten.permute.default": _permute(lambda given, axes: given["dims"]),
    "aten.transpose.int": _permute(_swapped),
    "aten.t.default": _permute(lambda given, axes: axes[::-1]),
    "aten.movedim.int": _permute(_moved),
    "aten.cat.default": _concatenate,
    "aten.stack.default": _stack,
    "aten.slice.Tensor": _slice,
    "aten.narrow.default": _narrow,
    "aten.select.int": _select,
    "aten.split.Tensor": _split,
    "aten.split_with_sizes.default": _split,
    "aten.chunk.default": _split,
    "aten.unbind.int": _unbind,
    "aten.index_select.default": _index_select,
    "aten.embedding.default": _embedding,
    "aten.flip.default": _flip,
    "aten.roll.default": _roll,
    "aten.expand.default": _repeat,
    "aten.repeat.default": _repeat,
    "aten.constant_pad_nd.default": _pad("constant"),
    "aten.pad.default": _pad(),
    "aten.reflection_pad1d.default": _pad("reflect"),
    "aten.reflection_pad2d.default": _pad("reflect"),
    "aten.replication_pad1d.default": _pad("replicate"),
    "aten.replication_pad2d.default": _pad("replicate"),
    "aten.pixel_shuffle.default": _shuffle(_pixels_from_channels),
    "aten.pixel_unshuffle.default": _shuffle(_channels_from_pixels),
    "aten.channel_shuffle.default": _shuffle(_channels_from_groups),
    "aten.dropout.default": _identity,
    "aten.clone.default": _identity,
    "aten.contiguous.default": _identity,
    "aten.detach.default": _identity,
    "aten.alias.default": _identity,
}
