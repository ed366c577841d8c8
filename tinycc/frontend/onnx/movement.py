"""ONNX operators that move elements. TVM's importer has Pad and Tile call TIR functions, Split is a tuple."""

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx.base import Convert, Node
from tinycc.frontend.padding import padded

PADDING_MODES = {b"reflect": "reflect", b"edge": "replicate", b"wrap": "circular"}


def _pad(node: Node) -> relax.Expr:
    """With a constant, or with the tensor's own elements."""
    pads, value, axes = (node.constant(index) for index in (1, 2, 3))
    assert pads is not None
    rank = len(node.source_shape)
    chosen = node.axes(range(rank) if axes is None else axes.reshape(-1))
    widths = np.zeros((rank, 2), np.int64)
    widths[chosen] = pads.reshape(2, -1).T
    if (widths < 0).any() or len(set(chosen)) != len(chosen):
        raise UnsupportedError(f"pads {pads.tolist()} are not supported, only numbers from 0, an axis once")
    mode = node.attributes.get("mode", b"constant")
    if mode != b"constant":
        return padded(node.builder, node.source, widths.tolist(), PADDING_MODES[mode])
    number = 0 if value is None or value.size == 0 else value.reshape(-1)[0].item()
    return relax.op.nn.pad(node.source, widths.reshape(-1).tolist(), "constant", number)


def sliced(node: Node, source: relax.Expr, axis: int, positions: range) -> relax.Expr:
    """The indices `positions` of an axis, which are in bounds."""
    end = positions.stop
    if end < 0:  # before the first, where -1 would be the last
        end -= tvm_adapter.shape_of(source)[axis]
    return node.emit(relax.op.strided_slice(source, [axis], [positions.start], [end], [positions.step]))


def _slice(node: Node) -> relax.Expr:
    """Starts and ends beyond the tensor are at its edge, as in Python."""
    starts, ends, axes, steps = (node.constant(index) for index in (1, 2, 3, 4))
    assert starts is not None and ends is not None
    chosen = node.axes(range(starts.size) if axes is None else axes)
    result = node.source
    for index, axis in enumerate(chosen):
        step = 1 if steps is None else int(steps[index])
        bounds = slice(int(starts[index]), int(ends[index]), step)
        positions = range(*bounds.indices(node.source_shape[axis]))
        if len(positions) != node.source_shape[axis] or step < 0:
            result = sliced(node, result, axis, positions)
    return result


def _split(node: Node) -> relax.Expr:
    """One slice for each part."""
    axis = node.axis(0)
    size = node.source_shape[axis]
    given = node.constant(1)
    sizes = node.attributes.get("split") if given is None else given.tolist()
    if sizes is None:
        part = -(-size // node.results)
        sizes = [min(part, size - index * part) for index in range(node.results)]
    if len(sizes) != node.results or sum(sizes) != size or min(sizes) < 1:
        raise UnsupportedError(f"{size} in {node.results} parts of {list(sizes)} is not supported")
    ends = np.cumsum(np.asarray(sizes)).tolist()
    slices = [
        sliced(node, node.source, axis, range(begin, end))
        for begin, end in zip([0, *ends[:-1]], ends, strict=True)
    ]
    return slices[0] if len(slices) == 1 else relax.Tuple(slices)


def _expand(node: Node) -> relax.Expr:
    return relax.op.broadcast_to(node.source, node.shape)


def _tile(node: Node) -> relax.Expr:
    repeats = node.constant(1)
    assert repeats is not None
    return relax.op.tile(node.source, repeats.tolist())


def _space_to_depth(node: Node) -> relax.Expr:
    """Blocks of pixels as channels: those of a pixel together, or in mode CRD those of a channel."""
    block = int(node.attributes["blocksize"])
    batch, channels, height, width = node.source_shape
    parts = [batch, channels, height // block, block, width // block, block]
    axes = [0, 1, 3, 5, 2, 4] if node.attributes.get("mode") == b"CRD" else [0, 3, 5, 1, 2, 4]
    split = node.emit(relax.op.reshape(node.source, parts))
    return relax.op.reshape(node.emit(relax.op.permute_dims(split, axes)), node.shape)


CONVERTERS: dict[str, Convert] = {
    "Expand": _expand,
    "Pad": _pad,
    "Slice": _slice,
    "SpaceToDepth": _space_to_depth,
    "Split": _split,
    "Tile": _tile,
}
