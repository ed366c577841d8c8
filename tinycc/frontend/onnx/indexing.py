"""ONNX operators whose operands are indices, or whose results are.

An index from the end is counted from the front, and one beyond the tensor is the nearest, or is taken modulo
its size: whatever a model computes for indices, nothing outside of a tensor is read.
"""

from collections.abc import Sequence

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx.base import Convert, Node
from tinycc.frontend.onnx.movement import sliced


def _inside(node: Node, indices: relax.Expr, sizes: int | Sequence[int]) -> relax.Expr:
    """Indices from the front, within `sizes`: one for all, or one for each index of the last axis."""
    dtype = tvm_adapter.dtype_of(indices)
    size = np.asarray(sizes, dtype)
    if tvm_adapter.is_constant(indices):
        values = tvm_adapter.constant_value(indices)
        if ((values < -size) | (values >= size)).any():
            raise UnsupportedError(f"indices beyond the {size.tolist()} of their axes are not supported")
        return tvm_adapter.make_constant(np.where(values < 0, values + size, values).astype(dtype))
    zero, extent, last = (
        tvm_adapter.make_constant(np.asarray(value, dtype)) for value in (0, size, size - 1)
    )
    is_negative = node.emit(relax.op.less(indices, zero))
    from_front = node.emit(relax.op.add(indices, extent))
    counted = node.emit(relax.op.where(is_negative, from_front, indices))
    return node.emit(relax.op.minimum(node.emit(relax.op.maximum(counted, zero)), last))


def _gather(node: Node) -> relax.Expr:
    """Constant indices at equal distances are a slice."""
    axis = node.axis(0)
    if not tvm_adapter.is_constant(node.inputs[1]):
        return relax.op.take(node.source, node.inputs[1], axis, mode="wrap")
    values = tvm_adapter.constant_value(_inside(node, node.inputs[1], node.source_shape[axis]))
    if not values.size:
        raise UnsupportedError("a gathering of no elements is not supported")
    wanted = values.reshape(-1).astype(np.int64).tolist()
    step = wanted[1] - wanted[0] if len(wanted) > 1 else 1
    if step and wanted == list(range(wanted[0], wanted[0] + step * len(wanted), step)):
        taken = sliced(node, node.source, axis, range(wanted[0], wanted[-1] + (1 if step > 0 else -1), step))
    else:
        taken = node.emit(relax.op.take(node.source, relax.const(wanted, "int64"), axis, mode="clip"))
    return taken if values.ndim == 1 else relax.op.reshape(taken, node.shape)


def _gather_elements(node: Node) -> relax.Expr:
    axis = node.axis(0)
    return relax.op.gather_elements(node.source, _inside(node, node.inputs[1], node.source_shape[axis]), axis)


def _gather_nd(node: Node) -> relax.Expr:
    batch_dims = int(node.attributes.get("batch_dims", 0))
    depth = tvm_adapter.shape_of(node.inputs[1])[-1]
    sizes = node.source_shape[batch_dims : batch_dims + depth]
    return relax.op.gather_nd(node.source, _inside(node, node.inputs[1], sizes), batch_dims)


def _reduction(node: Node) -> str:
    mode = bytes(node.attributes.get("reduction", b"none")).decode()
    return "update" if mode == "none" else mode


def _scatter_elements(node: Node) -> relax.Expr:
    axis = node.axis(0)
    indices = _inside(node, node.inputs[1], node.source_shape[axis])
    return relax.op.scatter_elements(node.source, indices, node.inputs[2], axis, _reduction(node))


def _scatter_nd(node: Node) -> relax.Expr:
    depth = tvm_adapter.shape_of(node.inputs[1])[-1]
    indices = _inside(node, node.inputs[1], node.source_shape[:depth])
    return relax.op.scatter_nd(node.source, indices, node.inputs[2], _reduction(node))


def _reverse_sequence(node: Node) -> relax.Expr:
    """The first elements of each sequence reversed, as many as its constant length says."""
    lengths = node.constant(1)
    assert lengths is not None
    time, batch = node.axes([node.attributes.get("time_axis", 0), node.attributes.get("batch_axis", 1)])
    size = node.source_shape[time]
    if {time, batch} != {0, 1} or lengths.min() < 1 or lengths.max() > size:
        raise UnsupportedError(f"sequences of {lengths.tolist()} along axis {time} are not supported")
    steps = np.arange(size)
    places = np.stack([np.where(steps < length, length - 1 - steps, steps) for length in lengths])
    places = places if time == 1 else places.T
    wide = places.reshape(*places.shape, *[1] * (len(node.shape) - 2))
    indices = np.broadcast_to(wide, node.shape).astype(np.int64)
    return relax.op.gather_elements(node.source, tvm_adapter.make_constant(indices), time)


def _one_hot(node: Node) -> relax.Expr:
    """`on` where an index is that of the axis, which may count from the end; `off` elsewhere."""
    depth, values = node.constant(1), node.constant(2)
    assert depth is not None and values is not None
    size, rank = int(depth.reshape(-1)[0]), len(node.source_shape) + 1
    axis = int(node.attributes.get("axis", -1))
    if not -rank <= axis < rank:
        raise UnsupportedError(f"axis {axis} is none of the {rank} of the result")
    wide = node.emit(relax.op.expand_dims(node.source, axis % rank))
    shape = [size if index == axis % rank else 1 for index in range(rank)]
    places = np.arange(size).reshape(shape)
    numbers = [tvm_adapter.make_constant((places - back).astype(node.dtype)) for back in (0, size)]
    hits = [node.emit(relax.op.equal(wide, number)) for number in numbers]
    hit = node.emit(relax.op.logical_or(*hits))
    off, on = (tvm_adapter.make_constant(np.asarray(value)) for value in values)
    return relax.op.where(hit, on, off)


def _top_k(node: Node) -> relax.Expr:
    """Values and int64 indices, sorted."""
    count = node.constant(1)
    assert count is not None
    largest = bool(node.attributes.get("largest", 1))
    pair = node.emit(
        relax.op.topk(node.source, int(count.reshape(-1)[0]), node.axis(-1), "both", largest, "int64")
    )
    return relax.Tuple([node.emit(relax.TupleGetItem(pair, index)) for index in range(node.results)])


def _cumulation(node: Node) -> relax.Expr:
    """Sums or products of all elements up to each, from the front or from the end."""
    given = node.constant(1)
    assert given is not None
    axis = node.axes([int(given.reshape(-1)[0])])[0]
    scan = relax.op.cumsum if node.kind == "CumSum" else relax.op.cumprod
    is_reverse = bool(node.attributes.get("reverse"))
    source = node.emit(relax.op.flip(node.source, axis)) if is_reverse else node.source
    total = node.emit(scan(source, axis, node.dtype, bool(node.attributes.get("exclusive"))))
    return relax.op.flip(total, axis) if is_reverse else total


def _triangle(node: Node) -> relax.Expr:
    """The upper or the lower triangle of the last two axes, from diagonal `k` on; 0 elsewhere."""
    given = node.constant(1)
    diagonal = 0 if given is None else int(given.reshape(-1)[0])
    keep = np.triu if node.attributes.get("upper", 1) else np.tril
    mask = keep(np.ones(node.shape[-2:], bool), diagonal)
    zero = tvm_adapter.make_constant(np.zeros((), node.dtype))
    return relax.op.where(tvm_adapter.make_constant(mask), node.source, zero)


CONVERTERS: dict[str, Convert] = {
    "CumProd": _cumulation,
    "CumSum": _cumulation,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "GatherND": _gather_nd,
    "OneHot": _one_hot,
    "ReverseSequence": _reverse_sequence,
    "ScatterElements": _scatter_elements,
    "ScatterND": _scatter_nd,
    "TopK": _top_k,
    "Trilu": _triangle,
}
