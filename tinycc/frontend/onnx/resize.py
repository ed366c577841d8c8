"""Resize: of rows and columns by Relax's own operator, else as sums of elements along each axis."""

from typing import Any

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx.base import Convert, Node
from tinycc.frontend.onnx.interpolation import Attributes, Axis, Taps

MOST_TAPS = 256
PLAIN_COORDINATES = ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")


def _resize(node: Node) -> relax.Expr:
    attributes, axes = Attributes.of(node.attributes), _axes(node)
    if attributes.exclude_outside and attributes.mode != "cubic":
        raise UnsupportedError(f"exclude_outside beside mode {attributes.mode} is not supported, only cubic")
    if _is_plain(node, attributes, axes):
        return _rows_and_columns(node, attributes)
    if attributes.mode != "nearest" and node.dtype != "float32":
        raise UnsupportedError(f"mode {attributes.mode} of {node.dtype} is not supported, only nearest")
    result = node.source
    for index, axis in axes.items():
        if axis.count != axis.size or axis.scale != 1 or axis.roi != (0.0, 1.0):
            result = _along(node, result, index, axis.taps(attributes), attributes.extrapolation_value)
    return result


def _axes(node: Node) -> dict[int, Axis]:
    """The axes that are resized, by scales or by sizes."""
    roi, scales, sizes = (node.constant(index) for index in (1, 2, 3))
    given: Any = node.attributes.get("axes")
    axes = node.axes(range(len(node.source_shape)) if given is None else given)
    before, after = node.source_shape, node.shape
    if scales is not None and scales.size:
        factors = [float(scale) for scale in scales]
    else:
        assert sizes is not None
        factors = [int(size) / before[axis] for axis, size in zip(axes, sizes, strict=True)]
        policy = node.attributes.get("keep_aspect_ratio_policy", b"stretch")
        if policy != b"stretch":
            factors = [min(factors) if policy == b"not_larger" else max(factors)] * len(axes)
    is_cropped = node.attributes.get("coordinate_transformation_mode") == b"tf_crop_and_resize"
    if is_cropped and (roi is None or roi.size != 2 * len(axes)):
        raise UnsupportedError("tf_crop_and_resize needs a roi with a begin and an end for each axis")
    regions = roi.reshape(2, -1).T.tolist() if is_cropped and roi is not None else [(0.0, 1.0)] * len(axes)
    return {
        axis: Axis(before[axis], after[axis], factor, (region[0], region[1]))
        for axis, factor, region in zip(axes, factors, regions, strict=True)
    }


def _is_plain(node: Node, attributes: Attributes, axes: dict[int, Axis]) -> bool:
    """Whether positions follow from the sizes of rows and columns alone, as Relax has them."""
    before, after = node.source_shape, node.shape
    if len(before) not in (3, 4) or before[:2] != after[:2]:
        return False
    if attributes.mode == "cubic" or attributes.antialias or attributes.exclude_outside:
        return False
    if attributes.coordinates == "align_corners":
        return 1 not in after[2:]
    return attributes.coordinates in PLAIN_COORDINATES and all(
        np.isclose(axis.scale * axis.size, axis.count, rtol=1e-5) for axis in axes.values()
    )


def _rows_and_columns(node: Node, attributes: Attributes) -> relax.Expr:
    """Over rows and columns, or columns only."""
    columns_only = len(node.shape) == 3
    source = node.emit(relax.op.expand_dims(node.source, 2)) if columns_only else node.source
    resized = relax.op.image.resize2d(
        source,
        (1, node.shape[2]) if columns_only else node.shape[2:],
        layout="NCHW",
        method="nearest_neighbor" if attributes.mode == "nearest" else "linear",
        coordinate_transformation_mode=attributes.coordinates,
        rounding_method=attributes.rounding if attributes.mode == "nearest" else "",
    )
    return relax.op.squeeze(node.emit(resized), [2]) if columns_only else resized


def _along(node: Node, source: relax.Expr, axis: int, taps: Taps, outside: float) -> relax.Expr:
    """The weighted sum of the taps of each output along an axis."""
    shape = [-1 if index == axis else 1 for index in range(len(node.shape))]
    total = None
    if len(taps.places) > MOST_TAPS:
        raise UnsupportedError(f"sums of {len(taps.places)} elements along an axis are not supported")
    for places, weights in zip(taps.places, taps.weights, strict=True):
        part = node.emit(relax.op.take(source, tvm_adapter.make_constant(places), axis, mode="clip"))
        if not (weights == 1).all():
            part = node.emit(relax.op.multiply(part, relax.const(weights.reshape(shape))))
        total = part if total is None else node.emit(relax.op.add(total, part))
    if not taps.is_outside.any():
        return total
    value = tvm_adapter.make_constant(np.array(outside, node.dtype))
    return node.emit(relax.op.where(relax.const(taps.is_outside.reshape(shape)), value, total))


CONVERTERS: dict[str, Convert] = {"Resize": _resize}
