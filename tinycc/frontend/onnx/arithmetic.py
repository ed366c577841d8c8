"""ONNX operators that compute. TVM's importer has Clip call a TIR function, and reduces a stack for Max."""

import functools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from onnx import helper
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx.base import Convert, Node


def _clip(node: Node) -> relax.Expr:
    limits = np.iinfo(node.dtype) if "int" in node.dtype else np.finfo(np.float32)
    unbounded = (limits.min, limits.max) if "int" in node.dtype else (-np.inf, np.inf)
    given = (node.constant(1), node.constant(2))
    low, high = (
        default if bound is None else bound.reshape(-1)[0].item()
        for bound, default in zip(given, unbounded, strict=True)
    )
    return relax.op.clip(node.source, min(low, high), high)


def _relu(node: Node) -> relax.Expr:
    """Of integers, too, since opset 14."""
    if "int" in node.dtype:
        return relax.op.clip(node.source, 0, np.iinfo(node.dtype).max)
    return relax.op.nn.relu(node.source)


def _folded(combine: Callable[[relax.Expr, relax.Expr], relax.Expr]) -> Convert:
    """An operator of any number of tensors, by twos."""
    return lambda node: functools.reduce(lambda a, b: node.emit(combine(a, b)), node.inputs)


def _mean(node: Node) -> relax.Expr:
    total = _folded(relax.op.add)(node)
    count = len(node.inputs)
    return total if count == 1 else relax.op.multiply(total, relax.const(np.float32(1 / count)))


def _reduction(reduce: Callable[..., relax.Expr]) -> Convert:
    """Axes are an attribute or an input, as the opset has it."""

    def convert(node: Node) -> relax.Expr:
        given = node.constant(1)
        axes = node.attributes.get("axes", ()) if given is None else given.tolist()
        if not axes and node.attributes.get("noop_with_empty_axes"):
            return node.source
        axes = node.axes(axes or range(len(node.source_shape)))
        if len(set(axes)) != len(axes):
            raise UnsupportedError(f"the axes {axes} are not supported, only one after the other")
        return reduce(node.source, axes, keepdims=bool(node.attributes.get("keepdims", 1)))

    return convert


def _composed(
    before: Callable[[relax.Expr], relax.Expr] | None,
    reduce: Callable[..., relax.Expr],
    after: Callable[[relax.Expr], relax.Expr] | None,
) -> Convert:
    """A reduction of a function of each element, and a function of the results."""

    def convert(node: Node) -> relax.Expr:
        inner = (
            node
            if before is None
            else replace(node, inputs=(node.emit(before(node.source)), *node.inputs[1:]))
        )
        reduced = _reduction(reduce)(inner)
        return reduced if after is None else after(node.emit(reduced))

    return convert


def _square(x: relax.Expr) -> relax.Expr:
    return relax.op.multiply(x, x)


def _log_sum_exp(node: Node) -> relax.Expr:
    """Less the largest element before the exponential, which would overflow."""
    largest = node.emit(
        _reduction(relax.op.max)(replace(node, attributes={**node.attributes, "keepdims": 1}))
    )
    below = node.emit(relax.op.exp(node.emit(relax.op.subtract(node.source, largest))))
    total = node.emit(_reduction(relax.op.sum)(replace(node, inputs=(below, *node.inputs[1:]))))
    return relax.op.add(node.emit(relax.op.log(total)), node.emit(relax.op.reshape(largest, node.shape)))


def _is_infinite(node: Node) -> relax.Expr:
    signs = {"detect_positive": np.inf, "detect_negative": -np.inf}
    bounds = [bound for name, bound in signs.items() if node.attributes.get(name, 1)]
    hits = [
        node.emit(relax.op.equal(node.source, relax.const(np.array(bound, node.dtype)))) for bound in bounds
    ]
    if not hits:
        return relax.const(np.zeros(node.shape, bool))
    return functools.reduce(relax.op.logical_or, hits)


def _shift(node: Node) -> relax.Expr:
    """Of unsigned integers; by as many bits as there are, or more, nothing is left."""
    if not node.dtype.startswith("uint"):
        raise UnsupportedError(f"a shift of {node.dtype} is not supported, only of unsigned integers")
    bits = 8 * np.dtype(node.dtype).itemsize
    zero, most, width = (
        tvm_adapter.make_constant(np.array(value, node.dtype)) for value in (0, bits - 1, bits)
    )
    move = relax.op.left_shift if node.attributes["direction"] == b"LEFT" else relax.op.right_shift
    moved = node.emit(move(node.source, node.emit(relax.op.minimum(node.inputs[1], most))))
    return relax.op.where(node.emit(relax.op.less(node.inputs[1], width)), moved, zero)


def _modulo(node: Node) -> relax.Expr:
    """The remainder of the sign of the dividend (fmod) or, of integers, of the divisor."""
    if node.attributes.get("fmod"):
        return relax.op.mod(*node.inputs)
    if node.dtype.startswith("float"):
        raise UnsupportedError("fmod 0 of real numbers is not supported; export the model with fmod 1")
    return relax.op.floor_mod(*node.inputs)


def _einsum(node: Node) -> relax.Expr:
    equation = bytes(node.attributes["equation"]).decode().replace(" ", "")
    return relax.op.einsum(relax.Tuple(list(node.inputs)), equation)


def _arg(reduce: Callable[..., relax.Expr]) -> Convert:
    """The first index of the extremum, or the last."""

    def convert(node: Node) -> relax.Expr:
        axis, keepdims = node.axis(0), bool(node.attributes.get("keepdims", 1))
        if not node.attributes.get("select_last_index"):
            return reduce(node.source, axis, keepdims)
        last = node.source_shape[axis] - 1
        index = node.emit(reduce(node.emit(relax.op.flip(node.source, axis)), axis, keepdims))
        return relax.op.subtract(relax.const(last, "int64"), index)

    return convert


def _gemm(node: Node) -> relax.Expr:
    """The sum alpha * A B + beta * C."""
    a, b, bias = node.inputs[0], node.inputs[1], node.get(2)
    if node.attributes.get("transA"):
        a = node.emit(relax.op.permute_dims(a, [1, 0]))
    if node.attributes.get("transB"):
        b = node.emit(relax.op.permute_dims(b, [1, 0]))
    product = relax.op.matmul(a, b)
    for name, value in (("alpha", product), ("beta", bias)):
        factor = np.float32(node.attributes.get(name, 1.0))
        if value is not None and factor != 1:
            value = relax.op.multiply(node.emit(value), relax.const(factor))
        product, bias = (value, bias) if name == "alpha" else (product, value)
    return product if bias is None else relax.op.add(node.emit(product), node.emit(bias))


def _prelu(node: Node) -> relax.Expr:
    """One slope, or one for each index of an axis; those that are dequantized stay integers.

    Any others are multiplied with what is negative.
    """
    slopes: Any = node.inputs[1]
    rank = len(node.source_shape)
    shape = tvm_adapter.shape_of(slopes)
    wide = [axis for axis, size in enumerate(shape, rank - len(shape)) if size != 1]
    if len(wide) <= 1 and tvm_adapter.is_constant(slopes):
        return relax.op.nn.prelu(node.source, _flat(slopes), wide[0] if wide else rank - 1)
    is_stored = tvm_adapter.op_name(slopes) == "relax.dequantize" and tvm_adapter.is_constant(slopes.args[0])
    if len(wide) <= 1 and is_stored:
        slopes = relax.op.dequantize(_flat(slopes.args[0]), *slopes.args[1:3], axis=0)
        return relax.op.nn.prelu(node.source, slopes, wide[0] if wide else rank - 1)
    below = node.emit(relax.op.minimum(node.source, _number(0)))
    fallen = node.emit(relax.op.multiply(slopes, below))
    return relax.op.add(node.emit(relax.op.maximum(node.source, _number(0))), fallen)


def _flat(constant: relax.Expr) -> relax.Expr:
    return tvm_adapter.make_constant(tvm_adapter.constant_value(constant).reshape(-1))


def _power(node: Node) -> relax.Expr:
    """The exponent may be of another type."""
    exponent = node.inputs[1]
    if tvm_adapter.dtype_of(exponent) != node.dtype:
        exponent = node.emit(relax.op.astype(exponent, node.dtype))
    if tvm_adapter.is_constant(node.inputs[1]):
        exponent = tvm_adapter.make_constant(tvm_adapter.constant_value(node.inputs[1]).astype(node.dtype))
    return relax.op.power(node.source, exponent)


def _cast(node: Node) -> relax.Expr:
    """To a type that is named, or that of another tensor, as C converts."""
    wanted = (
        tvm_adapter.dtype_of(node.inputs[1])
        if node.kind == "CastLike"
        else str(helper.tensor_dtype_to_np_dtype(node.attributes["to"]))
    )
    return node.source if wanted == node.dtype else relax.op.astype(node.source, wanted)


def _number(value: float) -> relax.Expr:
    return relax.const(np.float32(value))


def _above(x: relax.Expr, bound: float) -> relax.Expr:
    """1 where x is above a bound, 0 elsewhere."""
    return relax.op.maximum(relax.op.sign(relax.op.subtract(x, _number(bound))), _number(0))


def _exponential(alpha: float, gamma: float = 1.0) -> Convert:
    """Elu, Celu and Selu: gamma * (max(x, 0) + alpha * (exp(min(x, 0) / scale) - 1)), scale 1 or alpha.

    By single operators of x, so that it is a function of one tensor to all that follows.
    """

    def convert(node: Node) -> relax.Expr:
        given, factor = node.attributes.get("alpha", alpha), node.attributes.get("gamma", gamma)
        below = relax.op.minimum(node.source, _number(0))
        if node.kind == "Celu":
            below = relax.op.divide(below, _number(given))
        fallen = relax.op.multiply(relax.op.subtract(relax.op.exp(below), _number(1)), _number(given))
        result = relax.op.add(relax.op.maximum(node.source, _number(0)), fallen)
        return result if node.kind != "Selu" else relax.op.multiply(result, _number(factor))

    return convert


def _thresholded_relu(node: Node) -> relax.Expr:
    """X where it is above alpha, 0 elsewhere."""
    return relax.op.multiply(node.source, _above(node.source, node.attributes.get("alpha", 1.0)))


def _shrink(node: Node) -> relax.Expr:
    """X - bias above lambd, x + bias below -lambd, 0 between."""
    bias, bound = node.attributes.get("bias", 0.0), node.attributes.get("lambd", 0.5)
    above = relax.op.multiply(relax.op.subtract(node.source, _number(bias)), _above(node.source, bound))
    is_below = _above(relax.op.negative(node.source), bound)
    return relax.op.add(above, relax.op.multiply(relax.op.add(node.source, _number(bias)), is_below))


def _swish(default: float) -> Convert:
    """The product x * sigmoid(alpha * x)."""

    def convert(node: Node) -> relax.Expr:
        alpha = np.float32(node.attributes.get("alpha", default))
        inner = node.source if alpha == 1 else relax.op.multiply(node.source, relax.const(alpha))
        return relax.op.multiply(node.source, relax.op.sigmoid(inner))

    return convert


def _gelu(node: Node) -> relax.Expr:
    is_tanh = node.attributes.get("approximate", b"none") == b"tanh"
    return relax.op.nn.gelu_tanh(node.source) if is_tanh else relax.op.nn.gelu(node.source)


CONVERTERS: dict[str, Convert] = {
    "ArgMax": _arg(relax.op.argmax),
    "ArgMin": _arg(relax.op.argmin),
    "BitShift": _shift,
    "Cast": _cast,
    "CastLike": _cast,
    "Celu": _exponential(1.0),
    "Clip": _clip,
    "Einsum": _einsum,
    "Elu": _exponential(1.0),
    "Gelu": _gelu,
    "Gemm": _gemm,
    "Max": _folded(relax.op.maximum),
    "Mean": _mean,
    "Min": _folded(relax.op.minimum),
    "Mod": _modulo,
    "PRelu": _prelu,
    "Pow": _power,
    "QuickGelu": _swish(1.702),
    "IsInf": _is_infinite,
    "ReduceL1": _composed(relax.op.abs, relax.op.sum, None),
    "ReduceL2": _composed(_square, relax.op.sum, relax.op.sqrt),
    "ReduceLogSum": _composed(None, relax.op.sum, relax.op.log),
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMax": _reduction(relax.op.max),
    "ReduceMean": _reduction(relax.op.mean),
    "ReduceMin": _reduction(relax.op.min),
    "ReduceProd": _reduction(relax.op.prod),
    "ReduceSum": _reduction(relax.op.sum),
    "ReduceSumSquare": _composed(_square, relax.op.sum, None),
    "Relu": _relu,
    "Selu": _exponential(1.67326319217681884765625, 1.05070102214813232421875),
    "Shrink": _shrink,
    "Sum": _folded(relax.op.add),
    "Swish": _swish(1.0),
    "ThresholdedRelu": _thresholded_relu,
}
