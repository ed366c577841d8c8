"""Functions of torch tensors, element by element, sums over axes and softmax, as Relax."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from tvm import relax

from tinycc import tvm_adapter
from tinycc.frontend.torch.base import Converter, axes_of, emit, listed, operand, reshaped, source_of
from tinycc.frontend.torch.nodes import arguments, operator, shape_of
from tinycc.frontend.torch.operators import FIXED_RANGES
from tinycc.frontend.torch.program import has_fixed_range

Function = Callable[..., relax.Expr]


def _number(value: float) -> relax.Expr:
    return relax.const(float(value), "float32")


def _of_one(function: Function, *names: str) -> Converter:
    """A function of the operand and of the arguments that are named."""

    def convert(node: torch.fx.Node, importer: Any) -> relax.Expr:
        given = arguments(node)
        return emit(importer, function(source_of(node, importer), *(given[name] for name in names)))

    return convert


def _of_two(function: Function) -> Converter:
    """A function of two tensors, or of a tensor and a number."""

    def convert(node: torch.fx.Node, importer: Any) -> relax.Expr:
        given = arguments(node)
        operands = (operand(given[name], importer) for name in ("self", "other"))
        return emit(importer, function(*operands))

    return convert


def _reversed_difference(node: torch.fx.Node, importer: Any) -> relax.Expr:
    given = arguments(node)
    return emit(importer, relax.op.subtract(_number(given["other"]), source_of(node, importer)))


def _clamp(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """The upper bound wins where it is less than the lower one."""
    given = arguments(node)
    low, high = given.get("min", given.get("min_val")), given.get("max", given.get("max_val"))
    low, high = -math.inf if low is None else low, math.inf if high is None else high
    return emit(importer, relax.op.clip(source_of(node, importer), min(low, high), high))


def _positive(x: relax.Expr) -> relax.Expr:
    return relax.op.maximum(x, _number(0))


def _negative(x: relax.Expr) -> relax.Expr:
    return relax.op.minimum(x, _number(0))


def _elu(x: relax.Expr, alpha: float, scale: float, input_scale: float) -> relax.Expr:
    """Of positive x scale * x, of others scale * alpha * (exp(x * input_scale) - 1)."""
    power = relax.op.exp(relax.op.multiply(_negative(x), _number(input_scale)))
    below = relax.op.multiply(relax.op.subtract(power, _number(1)), _number(alpha * scale))
    return relax.op.add(relax.op.multiply(_positive(x), _number(scale)), below)


def _celu(x: relax.Expr, alpha: float) -> relax.Expr:
    return _elu(x, alpha, 1.0, 1 / alpha)


def _selu(x: relax.Expr) -> relax.Expr:
    return _elu(x, 1.6732632423543772, 1.0507009873554805, 1.0)


def _mish(x: relax.Expr) -> relax.Expr:
    return relax.op.multiply(x, relax.op.tanh(relax.op.nn.softplus(x)))


def _gelu(x: relax.Expr, approximate: str) -> relax.Expr:
    return relax.op.nn.gelu(x) if approximate == "none" else relax.op.nn.gelu_tanh(x)


def _hard_sigmoid(x: relax.Expr) -> relax.Expr:
    return relax.op.divide(relax.op.clip(relax.op.add(x, _number(3)), 0, 6), _number(6))


def _hard_swish(x: relax.Expr) -> relax.Expr:
    """The product x * clip(x + 3, 0, 6) / 6, in the order that has an integer form of its own."""
    gate = relax.op.clip(relax.op.add(x, _number(3)), 0, 6)
    return relax.op.divide(relax.op.multiply(x, gate), _number(6))


def _power(x: relax.Expr, exponent: float) -> relax.Expr:
    return relax.op.power(x, _number(exponent))


def _reciprocal(x: relax.Expr) -> relax.Expr:
    return relax.op.divide(_number(1), x)


def _prelu(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """A slope for each channel, or one for all."""
    value, weight = source_of(node, importer), importer.env[arguments(node)["weight"]]
    slopes = tvm_adapter.shape_of(weight)
    if slopes not in ((), (1,)):
        return emit(importer, relax.op.nn.prelu(value, weight, axis=1))
    slope = reshaped(importer, weight, ())
    below = relax.op.multiply(_negative(value), slope)
    return emit(importer, relax.op.add(_positive(value), below))


def _fixed_range(function: Function, *names: str) -> Converter:
    """softmax, sigmoid and tanh, quantized where a quantized module returns their real numbers."""
    inner = _of_one(function, *names)

    def convert(node: torch.fx.Node, importer: Any) -> relax.Expr:
        real = inner(node, importer)
        if not has_fixed_range(node):
            return real
        scale, zero_point = FIXED_RANGES[operator(node)]
        constants = (relax.const(scale, "float32"), relax.const(zero_point, "int32"))
        integers = emit(importer, relax.op.quantize(real, *constants, axis=0, out_dtype="int8"))
        return emit(importer, relax.op.dequantize(integers, *constants, axis=0))

    return convert


def _layer_norm(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """Over the last axes; a factor of 1 and an offset of 0 where there are none."""
    given, value = arguments(node), source_of(node, importer)
    shape = tuple(listed(given["normalized_shape"]))
    gamma, beta = (
        relax.const(np.full(shape, number, np.float32)) if given[name] is None else importer.env[given[name]]
        for name, number in (("weight", 1), ("bias", 0))
    )
    axes = list(range(-len(shape), 0))
    return emit(importer, relax.op.nn.layer_norm(value, gamma, beta, axes, given["eps"]))


def _softmax(x: relax.Expr, axis: int) -> relax.Expr:
    [place] = axes_of(axis, len(tvm_adapter.shape_of(x)))
    return relax.op.nn.softmax(x, place)


def _reduction(function: Function) -> Converter:
    """Over the axes that are given, over all of them where none is."""

    def convert(node: torch.fx.Node, importer: Any) -> relax.Expr:
        given, value = arguments(node), source_of(node, importer)
        axes = axes_of(given.get("dim"), len(tvm_adapter.shape_of(value)))
        return emit(importer, function(value, axes, bool(given.get("keepdim", False))))

    return convert


def _with_index(function: Function, index_of: Function) -> Converter:
    """The greatest or least number along an axis, and where it stands."""

    def convert(node: torch.fx.Node, importer: Any) -> list[relax.Expr]:
        given, value = arguments(node), source_of(node, importer)
        [axis] = axes_of(given["dim"], len(tvm_adapter.shape_of(value)))
        return [
            emit(importer, function(value, [axis], given["keepdim"])),
            emit(importer, index_of(value, axis, given["keepdim"])),
        ]

    return convert


def _arg_max(node: torch.fx.Node, importer: Any) -> relax.Expr:
    """Along an axis, or the place in the flattened tensor."""
    given, value = arguments(node), source_of(node, importer)
    shape, axis = tvm_adapter.shape_of(value), given["dim"]
    if axis is None:
        value, axis = reshaped(importer, value, (math.prod(shape),)), 0
    place = emit(importer, relax.op.argmax(value, axis % max(1, len(shape)), True))
    return reshaped(importer, place, shape_of(node))


CONVERTERS: dict[str, Converter] = {
    "aten.add.Tensor": _of_two(relax.op.add),
    "aten.sub.Tensor": _of_two(relax.op.subtract),
    "aten.rsub.Scalar": _reversed_difference,
    "aten.mul.Tensor": _of_two(relax.op.multiply),
    "aten.div.Tensor": _of_two(relax.op.divide),
    "aten.div.Tensor_mode": _of_two(relax.op.divide),
    "aten.maximum.default": _of_two(relax.op.maximum),
    "aten.minimum.default": _of_two(relax.op.minimum),
    "aten.max.other": _of_two(relax.op.maximum),
    "aten.min.other": _of_two(relax.op.minimum),
    "aten.pow.Tensor_Scalar": _of_one(_power, "exponent"),
    "aten.abs.default": _of_one(relax.op.abs),
    "aten.ceil.default": _of_one(relax.op.ceil),
    "aten.cos.default": _of_one(relax.op.cos),
    "aten.erf.default": _of_one(relax.op.erf),
    "aten.exp.default": _of_one(relax.op.exp),
    "aten.floor.default": _of_one(relax.op.floor),
    "aten.log.default": _of_one(relax.op.log),
    "aten.neg.default": _of_one(relax.op.negative),
    "aten.reciprocal.default": _of_one(_reciprocal),
    "aten.round.default": _of_one(relax.op.round),
    "aten.rsqrt.default": _of_one(relax.op.rsqrt),
    "aten.sin.default": _of_one(relax.op.sin),
    "aten.sqrt.default": _of_one(relax.op.sqrt),
    "aten.square.default": _of_one(relax.op.square),
    "aten.celu.default": _of_one(_celu, "alpha"),
    "aten.elu.default": _of_one(_elu, "alpha", "scale", "input_scale"),
    "aten.gelu.default": _of_one(_gelu, "approximate"),
    "aten.hardsigmoid.default": _of_one(_hard_sigmoid),
    "aten.hardswish.default": _of_one(_hard_swish),
    "aten.leaky_relu.default": _of_one(relax.op.nn.leakyrelu, "negative_slope"),
    "aten.layer_norm.default": _layer_norm,
    "aten.mish.default": _of_one(_mish),
    "aten.prelu.default": _prelu,
    "aten.selu.default": _of_one(_selu),
    "aten.sigmoid.default": _fixed_range(relax.op.sigmoid),
    "aten.silu.default": _of_one(relax.op.nn.silu),
    "aten.softplus.default": _of_one(relax.op.nn.softplus, "beta", "threshold"),
    "aten.tanh.default": _fixed_range(relax.op.tanh),
    "aten.softmax.int": _fixed_range(_softmax, "dim"),
    "aten._softmax.default": _fixed_range(_softmax, "dim"),
    "aten.relu.default": _of_one(relax.op.nn.relu),
    "aten.relu6.default": _of_one(lambda x: relax.op.clip(x, 0, 6)),
    "aten.hardtanh.default": _clamp,
    "aten.clamp.default": _clamp,
    "aten.clamp_max.default": _clamp,
    "aten.clamp_min.default": _clamp,
    "aten.mean.default": _reduction(relax.op.mean),
    "aten.mean.dim": _reduction(relax.op.mean),
    "aten.sum.default": _reduction(relax.op.sum),
    "aten.sum.dim_IntList": _reduction(relax.op.sum),
    "aten.amax.default": _reduction(relax.op.max),
    "aten.amin.default": _reduction(relax.op.min),
    "aten.max.dim": _with_index(relax.op.max, relax.op.argmax),
    "aten.min.dim": _with_index(relax.op.min, relax.op.argmin),
    "aten.argmax.default": _arg_max,
}
