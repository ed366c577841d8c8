"""ONNX layers of which TVM's importer has not all: integer products, normalization, indices of maxima."""

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx.base import Convert, Node
from tinycc.frontend.onnx.movement import sliced

CONVOLUTIONS = {
    3: (relax.op.nn.conv1d, "NCW", "OIW"),
    4: (relax.op.nn.conv2d, "NCHW", "OIHW"),
    5: (relax.op.nn.conv3d, "NCDHW", "OIDHW"),
}
MOST_TAPS = 256
MAXIMA = {3: relax.op.nn.max_pool1d, 4: relax.op.nn.max_pool2d, 5: relax.op.nn.max_pool3d}


def _shifted(node: Node, index: int, axis: int) -> relax.Expr:
    """Integers less their zero point, one or one for each index of an axis, as int32."""
    source, zero_point = node.inputs[index], node.constant(2 + index)
    wide = node.emit(relax.op.astype(source, "int32"))
    if zero_point is None or not zero_point.any():
        return wide
    rank = len(tvm_adapter.shape_of(source))
    if zero_point.size > 1:
        zero_point = zero_point.reshape([-1 if place == axis % rank else 1 for place in range(rank)])
    else:
        zero_point = zero_point.reshape(())
    return node.emit(relax.op.subtract(wide, tvm_adapter.make_constant(zero_point.astype(np.int32))))


def _integer_convolution(node: Node) -> relax.Expr:
    convolve, data_layout, kernel_layout = CONVOLUTIONS[len(node.source_shape)]
    spatial = len(node.source_shape) - 2
    return convolve(
        _shifted(node, 0, 1),
        _shifted(node, 1, 0),
        strides=node.attributes.get("strides", [1] * spatial),
        padding=node.attributes.get("pads", [0] * (2 * spatial)),
        dilation=node.attributes.get("dilations", [1] * spatial),
        groups=int(node.attributes.get("group", 1)),
        data_layout=data_layout,
        kernel_layout=kernel_layout,
    )


def _integer_product(node: Node) -> relax.Expr:
    """Zero points are of rows of the left operand, and of columns of the right one."""
    return relax.op.matmul(_shifted(node, 0, -2), _shifted(node, 1, -1))


def _by_channel(node: Node, expr: relax.Expr) -> relax.Expr:
    """A vector along the axis of channels, the second."""
    shape = [-1 if axis == 1 else 1 for axis in range(len(node.source_shape))]
    return node.emit(relax.op.reshape(expr, shape))


def _batch_normalization(node: Node) -> relax.Expr:
    """By the statistics that are given; in training by those of the batch, which move the running ones."""
    scale, bias, mean, variance = node.inputs[1:5]
    axes = [axis for axis in range(len(node.source_shape)) if axis != 1]
    results = []
    if node.attributes.get("training_mode"):
        momentum = np.float32(node.attributes.get("momentum", 0.9))
        current = [node.emit(reduce(node.source, axes)) for reduce in (relax.op.mean, relax.op.variance)]
        for running, seen in zip((mean, variance), current, strict=True):
            kept = node.emit(relax.op.multiply(running, relax.const(momentum)))
            new = node.emit(relax.op.multiply(seen, relax.const(np.float32(1 - momentum))))
            results.append(node.emit(relax.op.add(kept, new)))
        mean, variance = current
    epsilon = relax.const(np.float32(node.attributes.get("epsilon", 1e-5)))
    deviation = node.emit(relax.op.sqrt(node.emit(relax.op.add(variance, epsilon))))
    factor = node.emit(relax.op.divide(scale, deviation))
    offset = node.emit(relax.op.subtract(bias, node.emit(relax.op.multiply(mean, factor))))
    scaled = node.emit(relax.op.multiply(node.source, _by_channel(node, factor)))
    result = node.emit(relax.op.add(scaled, _by_channel(node, offset)))
    if node.results > 1 + len(results):
        raise UnsupportedError("running statistics are not supported outside of training")
    return relax.Tuple([result, *results[: node.results - 1]])


def _response_normalization(node: Node) -> relax.Expr:
    """Each element divided by a power of the sum of squares of the channels around it."""
    size, rank = int(node.attributes["size"]), len(node.source_shape)
    alpha, beta, bias = (
        np.float32(node.attributes.get(name, default))
        for name, default in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    before, channels = (size - 1) // 2, node.source_shape[1]
    if size > MOST_TAPS:
        raise UnsupportedError(f"sums over {size} channels are not supported")
    widths = [0, 0, before, size - 1 - before, *[0, 0] * (rank - 2)]
    squares = node.emit(relax.op.nn.pad(node.emit(relax.op.multiply(node.source, node.source)), widths))
    total = sliced(node, squares, 1, range(channels))
    for first in range(1, size):
        total = node.emit(relax.op.add(total, sliced(node, squares, 1, range(first, first + channels))))
    scaled = node.emit(relax.op.multiply(total, relax.const(alpha / np.float32(size))))
    base = node.emit(relax.op.add(scaled, relax.const(bias)))
    return relax.op.divide(node.source, node.emit(relax.op.power(base, relax.const(beta))))


def _norm(node: Node) -> relax.Expr:
    """Divided by the norm along an axis; 0 where that is 0."""
    axis = node.axis(-1)
    if node.attributes.get("p", 2) == 1:
        norm = node.emit(relax.op.sum(node.emit(relax.op.abs(node.source)), axis, keepdims=True))
    else:
        squares = node.emit(relax.op.multiply(node.source, node.source))
        norm = node.emit(relax.op.sqrt(node.emit(relax.op.sum(squares, axis, keepdims=True))))
    least = tvm_adapter.make_constant(np.array(np.finfo(node.dtype).tiny, node.dtype))
    return relax.op.divide(node.source, node.emit(relax.op.maximum(norm, least)))


def _max_pool(node: Node) -> relax.Expr:
    """The maximum under each window and, as the second result, where in the whole tensor it is."""
    spatial = len(node.source_shape) - 2
    kernel = list(node.attributes["kernel_shape"])
    strides = list(node.attributes.get("strides", [1] * spatial))
    dilations = list(node.attributes.get("dilations", [1] * spatial))
    pads = list(node.attributes.get("pads", [0] * (2 * spatial)))
    pooled = MAXIMA[spatial + 2](node.source, kernel, strides, pads, dilations)
    if node.results == 1:
        return pooled
    least = -np.inf if node.dtype == "float32" else np.iinfo(node.dtype).min
    widths = [0, 0, 0, 0, *(width for axis in range(spatial) for width in (pads[axis], pads[spatial + axis]))]
    padded = node.emit(relax.op.nn.pad(node.source, widths, "constant", float(least)))
    counts = node.shape[2:]
    if np.prod(kernel) > MOST_TAPS:
        raise UnsupportedError(f"indices of maxima of {np.prod(kernel)} elements are not supported")
    taps = []
    for tap in np.ndindex(*kernel):
        first = [place * step for place, step in zip(tap, dilations, strict=True)]
        ends = [
            begin + (count - 1) * stride + 1
            for begin, count, stride in zip(first, counts, strides, strict=True)
        ]
        axes = list(range(2, spatial + 2))
        taps.append(node.emit(relax.op.strided_slice(padded, axes, first, ends, strides)))
    chosen = node.emit(relax.op.argmax(node.emit(relax.op.stack(taps, 0)), 0))
    places = tvm_adapter.make_constant(_places(node, kernel, strides, dilations, pads))
    shape = [int(np.prod(kernel)), *node.shape]
    wide = node.emit(relax.op.broadcast_to(places, shape))
    index = node.emit(relax.op.expand_dims(chosen, 0))
    where = node.emit(relax.op.squeeze(node.emit(relax.op.gather_elements(wide, index, 0)), [0]))
    return relax.Tuple([node.emit(pooled), where])


def _places(
    node: Node, kernel: list[int], strides: list[int], dilations: list[int], pads: list[int]
) -> np.ndarray:
    """The index of each tap of each window in the tensor laid out flat: int64 [taps, *result]."""
    batch, channels, *sizes = node.source_shape
    spatial = len(sizes)
    is_column_major = bool(node.attributes.get("storage_order"))
    order = range(spatial) if is_column_major else range(spatial)[::-1]
    pitch, pitches = 1, [0] * spatial
    for axis in order:
        pitches[axis], pitch = pitch, pitch * sizes[axis]
    image = np.arange(batch * channels, dtype=np.int64).reshape(1, batch, channels, *[1] * spatial) * pitch
    for axis, count in enumerate(node.shape[2:]):
        taps = np.indices(kernel)[axis].reshape(-1, *[1] * (spatial + 2))
        first = np.arange(count).reshape([-1 if place == axis + 3 else 1 for place in range(spatial + 3)])
        image = image + (taps * dilations[axis] + first * strides[axis] - pads[axis]) * pitches[axis]
    return image


CONVERTERS: dict[str, Convert] = {
    "BatchNormalization": _batch_normalization,
    "ConvInteger": _integer_convolution,
    "LRN": _response_normalization,
    "LpNormalization": _norm,
    "MatMulInteger": _integer_product,
    "MaxPool": _max_pool,
}
