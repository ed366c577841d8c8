"""Quantize to int16 what a layer computes where an operator reads it that is no part of the layer.

Before: quantize(add(conv2d(dequantize(x), w), dequantize(y))), quantize(sigmoid(conv2d(dequantize(x), w)))
After:  lv = quantize(conv2d(dequantize(x16), w), s); lv1 = quantize(add(dequantize(lv), dequantize(y16)), t)
        quantize(dequantize(lv1)); quantize(sigmoid(dequantize(lv)))
Requires: the normal form, save for what is not quantized.

A scale is such that no number that can occur saturates, by interval arithmetic on weights, bias and the
inputs' types; int16 then holds it to a small part of an int8 step. x16 and y16 are x and y, exactly.
"""

from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.interpolate import BINARY, UNARY
from tinycc.ops.lookup.view import numbers_of
from tinycc.ops.lookup_table import OPERATORS
from tinycc.passes.dataflow_rewriter import DataflowRewriter

PRODUCTS = ("relax.nn.conv2d", "relax.nn.conv2d_transpose", "relax.matmul")
CLAMPS = ("relax.nn.relu", "relax.clip")
ARITHMETIC = {
    "relax.add": relax.op.add,
    "relax.subtract": relax.op.subtract,
    "relax.multiply": relax.op.multiply,
}
_LARGEST = INTEGER_RANGE["int16"][1]
# Where a function is looked at, to see from where on its result stays.
_POINTS = 4097


@dataclass(frozen=True)
class _Interval:
    """What a real number can be."""

    low: float
    high: float

    @property
    def largest(self) -> float:
        """The largest magnitude."""
        return max(abs(self.low), abs(self.high))

    @classmethod
    def around(cls, values: np.ndarray) -> "_Interval":
        """From the least to the largest of some numbers."""
        return cls(float(values.min()), float(values.max()))


class _Quantizer(DataflowRewriter):
    """A value may be used often: what is worked out of one is remembered."""

    def __init__(self, module: tvm.IRModule) -> None:
        super().__init__(module)
        self._intervals: dict[relax.Expr, _Interval | None] = {}

    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        if name != "relax.quantize" or not self._is_beyond_layer(call.args[0]):
            return call
        scale, zero_point = (tvm_adapter.constant_value(argument) for argument in call.args[1:3])
        like = _Scale(float(scale), int(zero_point), str(call.attrs.out_dtype))
        quantized = self._quantized(call.args[0], like)
        return call if quantized is None else quantized

    def _is_beyond_layer(self, expr: relax.Expr) -> bool:
        """Whether an operator that is no part of a layer reads one before `expr` is quantized."""
        return not self._is_layer(expr) and any(map(self._is_layer, self._variables(expr)))

    def _is_layer(self, expr: relax.Expr) -> bool:
        """A product with its bias and its clamp, or without."""
        call = self.producer(expr)
        while tvm_adapter.op_name(call) in CLAMPS:
            call = self.producer(call.args[0])
        if tvm_adapter.op_name(call) == "relax.add" and self._constant(call.args[1]) is not None:
            call = self.producer(call.args[0])
        return tvm_adapter.op_name(call) in PRODUCTS

    def _constant(self, expr: relax.Expr) -> np.ndarray | None:
        """The real numbers of a constant or of a dequantized one."""
        call = self.producer(expr)
        if tvm_adapter.is_constant(call):
            return tvm_adapter.constant_value(call)
        if tvm_adapter.op_name(call) != "relax.dequantize" or not tvm_adapter.is_constant(call.args[0]):
            return None
        stored, scale, zero_point = (tvm_adapter.constant_value(argument) for argument in call.args[:3])
        shape = [1] * stored.ndim
        if scale.ndim:
            shape[int(call.attrs.axis) % stored.ndim] = -1
        scales = scale.reshape(shape if scale.ndim else ())
        zero_points = zero_point.reshape(shape if zero_point.ndim else ())
        return np.asarray((stored.astype(np.float64) - zero_points) * scales)

    def _operands(self, expr: relax.Expr) -> list[relax.Expr]:
        """What an element-wise operator computes with; nothing for all others."""
        call = self.producer(expr)
        name = tvm_adapter.op_name(call).removeprefix("relax.")
        if name in BINARY:
            return list(call.args[:2])
        return list(call.args[:1]) if name in UNARY or name == "clip" else []

    def _variables(self, expr: relax.Expr) -> list[relax.Expr]:
        """What `expr` is computed from element by element, operands before what reads them; layers whole."""
        found: dict[relax.Expr, None] = {}
        waiting = [expr]
        while waiting:
            expr = waiting[-1]
            operands = [] if self._is_layer(expr) else self._operands(expr)
            missing = [operand for operand in operands if operand not in found]
            waiting += reversed(missing)
            if not missing:
                found[waiting.pop()] = None
        return list(found)

    def _evaluate(self, expr: relax.Expr, variable: relax.Expr, x: np.ndarray) -> np.ndarray | None:
        """The results of `expr` where a variable is x; None where it depends on other tensors, too."""
        done: dict[relax.Expr, np.ndarray | None] = {variable: x}
        for each in self._variables(expr):
            if each not in done:
                done[each] = self._result(each, done)
        return done[expr]

    def _result(self, expr: relax.Expr, done: dict[relax.Expr, np.ndarray | None]) -> np.ndarray | None:
        """What an operator makes of the results of its operands."""
        number = self._constant(expr)
        if number is not None:
            return number.reshape(()) if number.size == 1 else None
        if self._is_layer(expr):
            return None
        call = self.producer(expr)
        name = tvm_adapter.op_name(call).removeprefix("relax.")
        values = [done[operand] for operand in self._operands(expr)]
        known = [value for value in values if value is not None]
        if not known or len(known) < len(values):
            return None
        if name == "clip":
            return np.clip(known[0], *_clip_bounds(call))
        with np.errstate(all="ignore"):
            return np.asarray(OPERATORS[name](*known, *numbers_of(call)))

    def _quantized(self, expr: relax.Expr, like: "_Scale") -> relax.Expr | None:
        """`expr` as integers; None where it is neither a function of one tensor nor arithmetic of two."""
        for variable in self._variables(expr):
            if variable.same_as(expr) or self._constant(variable) is not None:
                continue
            interval = self._interval(variable)
            if interval is None:
                continue
            points = np.linspace(interval.low, interval.high, _POINTS)
            results = self._evaluate(expr, variable, points)
            if results is None:
                continue
            real = self._as_int16(variable, _reach(points, like.integers(results)))
            return None if real is None else like.quantize(self._copied(expr, {variable: real}))
        clamps: list[relax.Call] = []
        call = self.producer(expr)
        while tvm_adapter.op_name(call) in CLAMPS:
            clamps.insert(0, call)
            call = self.producer(call.args[0])
        combine = ARITHMETIC.get(tvm_adapter.op_name(call))
        interval = self._interval(expr)
        if combine is None or interval is None:
            return None
        operands = [self._as_int16(operand) for operand in call.args]
        if operands[0] is None or operands[1] is None:
            return None
        scale = _Scale.of(min(interval.largest, 256.0 * like.scale if like.dtype == "int8" else np.inf))
        real = scale.dequantize(self.emit(scale.quantize(self.emit(combine(*operands)))))
        for clamp in clamps:
            real = relax.Call(clamp.op, [self.emit(real), *clamp.args[1:]], clamp.attrs, clamp.ty_args)
        return like.quantize(self.emit(real))

    def _as_int16(self, expr: relax.Expr, reach: float = np.inf) -> relax.Expr | None:
        """`expr`, dequantized from int16; numbers beyond +-`reach` may saturate."""
        constant = self._constant(expr)
        if constant is not None:
            scale = _Scale.of(float(np.abs(constant).max()))
            return self.emit(scale.dequantize(tvm_adapter.make_constant(scale.integers(constant))))
        call = self.producer(expr)
        if tvm_adapter.op_name(call) == "relax.dequantize":
            if tvm_adapter.shape_of(call.args[1]):
                return None
            scale = _Scale(float(tvm_adapter.constant_value(call.args[1])), 0, "int16")
            if tvm_adapter.dtype_of(call.args[0]) == "int16":
                return expr if not tvm_adapter.constant_value(call.args[2]).any() else None
            return self.emit(scale.dequantize(self.emit(scale.quantize(expr))))
        interval = self._interval(expr)
        if interval is None:
            return None
        scale = _Scale.of(min(interval.largest, reach))
        integers = self._layer(expr, scale) if self._is_layer(expr) else self._quantized(expr, scale)
        return None if integers is None else self.emit(scale.dequantize(self.emit(integers)))

    def _layer(self, expr: relax.Expr, scale: "_Scale") -> relax.Expr | None:
        """A layer from int16 to int16."""
        product = self._product(expr)
        source = self._as_int16(product.args[0])
        return None if source is None else scale.quantize(self._copied(expr, {product.args[0]: source}))

    def _product(self, expr: relax.Expr) -> relax.Call:
        call = self.producer(expr)
        while tvm_adapter.op_name(call) not in PRODUCTS:
            call = self.producer(call.args[0])
        return call

    def _copied(self, expr: relax.Expr, values: dict[relax.Expr, relax.Expr]) -> relax.Expr:
        """`expr` computed from other values; those that are made on the way are added to them."""
        if expr in values:
            return values[expr]
        call = self.producer(expr)
        if not isinstance(call, relax.Call) or tvm_adapter.op_name(call) == "relax.dequantize":
            return expr
        arguments = [self._copied(argument, values) for argument in call.args]
        values[expr] = self.emit(relax.Call(call.op, arguments, call.attrs, call.ty_args))
        return values[expr]

    def _interval(self, expr: relax.Expr) -> _Interval | None:
        """What the real numbers of `expr` can be; None where nothing is known."""
        for each in self._variables(expr):
            if each not in self._intervals:
                self._intervals[each] = self._worked_out(each)
        return self._intervals[expr]

    def _worked_out(self, expr: relax.Expr) -> _Interval | None:
        constant = self._constant(expr)
        if constant is not None:
            return _Interval.around(constant)
        call = self.producer(expr)
        name = tvm_adapter.op_name(call)
        if name == "relax.dequantize":
            if tvm_adapter.shape_of(call.args[1]):
                return None
            scale, zero_point = (float(tvm_adapter.constant_value(argument)) for argument in call.args[1:3])
            ends = np.array(INTEGER_RANGE[tvm_adapter.dtype_of(call.args[0])], np.float64)
            return _Interval.around(scale * (ends - zero_point))
        if name in PRODUCTS:
            return self._product_interval(call)
        operands = [self._interval(operand) for operand in self._operands(expr)]
        known = [operand for operand in operands if operand is not None]
        if not known or len(known) < len(operands):
            return None
        if (name == "relax.multiply" and len(known) == 2) or name in ("relax.add", "relax.subtract"):
            (a, b), function = known, OPERATORS[name.removeprefix("relax.")]
            corners = [function(one, other) for one in (a.low, a.high) for other in (b.low, b.high)]
            return _Interval.around(np.array(corners))
        variable = self._operands(expr)[0]
        if name in CLAMPS:
            bounds = (0.0, np.inf) if name == "relax.nn.relu" else _clip_bounds(call)
            return _Interval.around(np.clip([known[0].low, known[0].high], *bounds))
        if len(known) == 1:
            results = self._evaluate(expr, variable, np.linspace(known[0].low, known[0].high, _POINTS))
            if results is not None and np.isfinite(results).all():
                return _Interval.around(results)
        return None

    def _product_interval(self, product: relax.Call) -> _Interval | None:
        """The sums of a layer's weights times the least or largest input, whichever gives more."""
        weights, source = self._constant(product.args[1]), self._interval(product.args[0])
        if weights is None or source is None:
            return None
        axis = weights.ndim - 1
        if tvm_adapter.op_name(product) != "relax.matmul":
            axis = str(product.attrs.kernel_layout).index("O")
        by_channel = np.moveaxis(weights, axis, 0).reshape(weights.shape[axis], -1)
        ends = [by_channel * min(source.low, 0.0), by_channel * max(source.high, 0.0)]
        return _Interval(float(np.minimum(*ends).sum(1).min()), float(np.maximum(*ends).sum(1).max()))


@dataclass(frozen=True)
class _Scale:
    """A quantization."""

    scale: float
    zero_point: int
    dtype: str

    @classmethod
    def of(cls, largest: float) -> "_Scale":
        """That of int16 which holds +-`largest`."""
        return cls(float(np.float32(max(largest, 1e-30) / _LARGEST)), 0, "int16")

    def integers(self, real: np.ndarray) -> np.ndarray:
        """Real numbers as integers."""
        rounded = np.rint(np.nan_to_num(real / self.scale)) + self.zero_point
        return np.clip(rounded, *INTEGER_RANGE[self.dtype]).astype(self.dtype)

    def _constants(self) -> tuple[relax.Expr, relax.Expr]:
        return relax.const(self.scale, "float32"), relax.const(self.zero_point, "int32")

    def quantize(self, real: relax.Expr) -> relax.Expr:
        """Real numbers in this quantization."""
        return relax.op.quantize(real, *self._constants(), axis=0, out_dtype=self.dtype)

    def dequantize(self, integers: relax.Expr) -> relax.Expr:
        """The real numbers of integers."""
        return relax.op.dequantize(integers, *self._constants(), axis=0)


def _clip_bounds(call: relax.Call) -> tuple[float, float]:
    low, high = numbers_of(call)
    return low, high


def _reach(points: np.ndarray, results: np.ndarray) -> float:
    """The largest magnitude from which on a function's results may still change."""
    changes = np.flatnonzero(results[1:] != results[:-1])
    if not changes.size:
        return float(np.abs(points).min()) + 1.0
    return float(max(abs(points[changes[0]]), abs(points[changes[-1] + 1])))


@tvm.transform.module_pass(opt_level=1, name="QuantizeIntermediates")
class QuantizeIntermediates:
    """Rewrite the quantized results of `main` that read layers through other operators."""

    def transform_module(self, module: tvm.IRModule, context: tvm.transform.PassContext) -> tvm.IRModule:
        """Module pass; see above."""
        return _Quantizer(module).run()
