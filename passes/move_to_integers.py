"""Moving, choosing and clamping are done on integers rather than on the real numbers they stand for.

Four facts do the work, all of them exact:

* what moves or chooses elements commutes with quantize and with dequantize;
* so does a clamp, as both are monotonic:
  quantize(clip(x, a, b)) = clip(quantize(x), quantize(a), quantize(b));
* and so does a choice of two: quantize(maximum(x, y)) = maximum(quantize(x), quantize(y));
* quantize(dequantize(q)) = q for one scale and zero point.

Before: quantize(max_pool2d(dequantize(x, s, z)), s, z)
After:  max_pool2d(x)
Requires: quantize and dequantize as ToNormalForm has them.
"""

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.passes.dataflow_rewriter import DataflowRewriter
from tinycc.passes.fold_integer_constants import EVALUATORS
from tinycc.passes.real_constants import real_value

RESHAPES = ("relax.reshape", "relax.squeeze", "relax.expand_dims")
MOVING = (
    *RESHAPES, "relax.permute_dims", "relax.nn.pad", "relax.strided_slice", "relax.nn.max_pool2d",
    "relax.nn.max_pool1d", "relax.image.resize2d", "relax.take", "relax.tile", "relax.repeat", "relax.flip",
    "relax.broadcast_to", "relax.max", "relax.min",
)  # fmt: skip
POSITIONS = ("relax.argmax", "relax.argmin")
CLAMPS = ("relax.nn.relu", "relax.nn.relu6", "relax.clip")
CHOICES = {"relax.maximum": relax.op.maximum, "relax.minimum": relax.op.minimum}
ARITHMETIC = ("relax.add", "relax.subtract", "relax.multiply", "relax.divide")
RANGES = {"int8": (-128, 127), "int16": (-32768, 32767)}


_MOST_SWEEPS = 8


@tvm.transform.module_pass(opt_level=0, name="MoveToIntegers")
class MoveToIntegers:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Sweep over `main` until nothing changes."""
        for _ in range(_MOST_SWEEPS):
            moved = _Mover(module).run()
            if tvm_adapter.structural_equal(moved, module):
                break
            module = moved
        return module


def _is_nearest(call: relax.Call) -> bool:
    return tvm_adapter.op_name(call) != "relax.image.resize2d" or call.attrs.method == "nearest_neighbor"


class _Mover(DataflowRewriter):
    """Moving, choosing and clamping are done on integers, scales and zero points being scalars."""

    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        """Dequantize later, quantize earlier."""
        if name in RESHAPES:
            return self._reshape(call)
        if name in MOVING and _is_nearest(call):
            return self._dequantize_later(call)
        if name in POSITIONS:
            return self._position_of_integers(call)
        if name in (*ARITHMETIC, *CHOICES):
            call = self._without_repetition(call)
        if name in CHOICES:
            call = self._as_clamp(call)
            name = tvm_adapter.op_name(call)
        if name in CLAMPS and self.producer_name(call.args[0]) in CLAMPS:
            return self._merged_clamps(call)
        if (name in CLAMPS or name in ARITHMETIC) and any(self._reshapes(item) for item in call.args):
            return self._reshape_later(call)
        if name == "relax.nn.relu":
            return self._clamp_integers(call)
        if name == "relax.clip" and tvm_adapter.dtype_of(call.args[0]) in RANGES:
            return self._clamp_earlier(call)
        if name == "relax.concat":
            return self._concatenate_integers(call)
        if name == "relax.quantize":
            return self._quantize_earlier(call)
        return call

    def _quantization(self, expr: relax.Expr) -> tuple[float, int, str] | None:
        """Scale, zero point and dtype, where `expr` dequantizes or quantizes a tensor that is no constant."""
        call = self.producer(expr)
        if tvm_adapter.op_name(call) not in ("relax.dequantize", "relax.quantize"):
            return None
        scale, zero_point = (tvm_adapter.constant_value(argument) for argument in call.args[1:3])
        integers = call if tvm_adapter.op_name(call) == "relax.quantize" else call.args[0]
        if tvm_adapter.is_constant(call.args[0]) or scale.ndim:
            return None
        return float(scale), int(zero_point), tvm_adapter.dtype_of(self.builder.normalize(integers))

    def _dequantized(self, expr: relax.Expr) -> tuple[float, int, str] | None:
        return self._quantization(expr) if self.producer_name(expr) == "relax.dequantize" else None

    def _reshape(self, call: relax.Call) -> relax.Expr:
        """One reshape for several in a row, none where the shape stays."""
        shape = tvm_adapter.shape_of(self.builder.normalize(call))
        operand = call.args[0]
        while self.producer_name(operand) in RESHAPES:
            operand = self.producer(operand).args[0]
        if tvm_adapter.shape_of(operand) == shape:
            return operand
        return self._dequantize_later(relax.op.reshape(operand, shape))

    def _reshapes(self, expr: relax.Expr) -> bool:
        return self.producer_name(expr) in RESHAPES

    def _reshape_later(self, call: relax.Call) -> relax.Expr:
        """A clamp, or a constant along the last axis, before the reshape of what a layer computes."""
        operands = list(call.args)
        index = next(i for i, operand in enumerate(operands) if self._reshapes(operand))
        source = self.producer(operands[index]).args[0]
        before, after = tvm_adapter.shape_of(source), tvm_adapter.shape_of(operands[index])
        if self._dequantized(source) or tvm_adapter.dtype_of(source) != "float32":
            return call
        if tvm_adapter.op_name(call) in ARITHMETIC:
            constant = real_value(self, operands[1 - index])
            if constant is None or not (constant.size == 1 or _is_vector(constant.shape, before, after)):
                return call
            vector = [] if constant.size == 1 else list(after[-1:])
            operands[1 - index] = self.emit(self._reshape(relax.op.reshape(operands[1 - index], vector)))
        operands[index] = source
        computed = self.emit(relax.Call(call.op, operands, call.attrs, call.ty_args))
        return relax.op.reshape(computed, after)

    def _moved(
        self, call: relax.Call, operand: relax.Expr, like: relax.Call, padding: float | None = None
    ) -> relax.Expr:
        """The moving operator `call` on integers that are quantized as `like` says.

        padding: the real number to pad by, if not the one that `call` states.
        """
        operand = self.emit(operand)
        if tvm_adapter.op_name(call) != "relax.nn.pad" or call.attrs.pad_mode != "constant":
            return relax.Call(call.op, [operand, *call.args[1:]], call.attrs, call.ty_args)
        widths = [int(width) for width in call.attrs.pad_width]
        real = float(call.attrs.pad_value) if padding is None else padding
        value = _quantized(real, like, tvm_adapter.dtype_of(operand))
        return relax.op.nn.pad(operand, widths, "constant", value)

    def _dequantize_later(self, call: relax.Call) -> relax.Expr:
        dequantize = self.producer(call.args[0])
        if tvm_adapter.op_name(dequantize) == "relax.dequantize" and tvm_adapter.is_constant(
            dequantize.args[0]
        ):
            return self._dequantize_constant_later(call, dequantize)
        if self._dequantized(call.args[0]) is None:
            return call
        moved = self.emit(self._moved(call, dequantize.args[0], dequantize))
        return relax.op.dequantize(moved, *dequantize.args[1:3], axis=0)

    def _dequantize_constant_later(self, call: relax.Call, dequantize: relax.Call) -> relax.Expr:
        """Weights and biases are moved as integers; what is said of each channel moves with its axis."""
        name = tvm_adapter.op_name(call)
        if name not in (*RESHAPES, "relax.permute_dims"):
            return call
        axis = 0
        if any(tvm_adapter.shape_of(argument) for argument in dequantize.args[1:3]):
            before = tvm_adapter.shape_of(dequantize.args[0])
            old = int(dequantize.attrs.axis) % len(before)
            if name == "relax.permute_dims":
                rank = len(before)
                given = range(rank)[::-1] if call.attrs.axes is None else call.attrs.axes
                axis = [int(item) % rank for item in given].index(old)
            else:
                found = _axis_after_reshape(before, tvm_adapter.shape_of(self.builder.normalize(call)), old)
                if found is None:
                    return call
                axis = found
        # At once, as what follows looks for constants.
        value = tvm_adapter.constant_value(dequantize.args[0])
        if name == "relax.permute_dims":
            moved = EVALUATORS[name](call, [value])
        else:
            moved = value.reshape(tvm_adapter.shape_of(self.builder.normalize(call)))
        return relax.op.dequantize(tvm_adapter.make_constant(moved), *dequantize.args[1:3], axis=axis)

    def _position_of_integers(self, call: relax.Call) -> relax.Expr:
        """argmax(dequantize(q)) = argmax(q): a scale is positive."""
        if self._dequantized(call.args[0]) is None:
            return call
        return relax.Call(call.op, [self.producer(call.args[0]).args[0]], call.attrs, call.ty_args)

    def _without_repetition(self, call: relax.Call) -> relax.Call:
        """Operators of two tensors repeat elements themselves."""
        shape = tvm_adapter.shape_of(self.builder.normalize(call))
        for index, operand in enumerate(call.args):
            repetition = self.producer(operand)
            if tvm_adapter.op_name(repetition) != "relax.broadcast_to":
                continue
            operands = list(call.args)
            operands[index] = repetition.args[0]
            shorter = relax.Call(call.op, operands, call.attrs)
            if tvm_adapter.shape_of(self.builder.normalize(shorter)) == shape:
                call = shorter
        return call

    def _as_clamp(self, call: relax.Call) -> relax.Call:
        """The larger, or the smaller, of a tensor and a number is a clamp, unless they are wide integers."""
        if tvm_adapter.dtype_of(call.args[0]) not in ("float32", *RANGES):
            return call
        for index in (0, 1):
            bound = real_value(self, call.args[index])
            source = call.args[1 - index]
            if bound is None or bound.size != 1 or real_value(self, source) is not None:
                continue
            if tvm_adapter.shape_of(source) != tvm_adapter.shape_of(self.builder.normalize(call)):
                continue
            bounds = (float(bound.item()), np.inf)
            if tvm_adapter.op_name(call) == "relax.minimum":
                bounds = (-np.inf, float(bound.item()))
            return relax.op.clip(source, *bounds)
        return call

    def _merged_clamps(self, call: relax.Call) -> relax.Expr:
        """clip(clip(x, a, b), c, d) = clip(x, clip(a, c, d), clip(b, c, d)), of real numbers."""
        inner = self.producer(call.args[0])
        if tvm_adapter.dtype_of(call.args[0]) != "float32":
            return call
        low, high = (float(np.clip(bound, *_bounds(call))) for bound in _bounds(inner))
        return relax.op.clip(inner.args[0], low, high)

    def _clamp_integers(self, call: relax.Call) -> relax.Expr:
        """relu(dequantize(q)) = dequantize(max(q, zero point))."""
        meaning = self._dequantized(call.args[0])
        if meaning is None:
            return call
        dequantize = self.producer(call.args[0])
        clamped = self._clamped(dequantize.args[0], call, dequantize, meaning[2])
        return relax.op.dequantize(self.emit(clamped), *dequantize.args[1:3], axis=0)

    def _clamped(self, integers: relax.Expr, clamp: relax.Call, like: relax.Call, dtype: str) -> relax.Expr:
        """`clamp` on integers quantized as `like` says; before their own quantize if possible."""
        quantize = self._own_quantize(integers)
        if quantize is not None:
            real = self.emit(
                relax.Call(clamp.op, [quantize.args[0], *clamp.args[1:]], clamp.attrs, clamp.ty_args)
            )
            return relax.op.quantize(real, *quantize.args[1:3], axis=0, out_dtype=dtype)
        low, high = (_quantized(bound, like, dtype) for bound in _bounds(clamp))
        return relax.op.clip(integers, low, high)

    def _own_quantize(self, integers: relax.Expr) -> relax.Call | None:
        """The quantize of what an operator computes, where nothing else reads the integers."""
        quantize = self.producer(integers)
        is_own = (
            tvm_adapter.op_name(quantize) == "relax.quantize"
            and self._quantization(quantize.args[0]) is None
            and not isinstance(self.producer(quantize.args[0]), relax.Var)
            and self.is_used_once(integers)
        )
        return quantize if is_own else None

    def _clamp_earlier(self, call: relax.Call) -> relax.Expr:
        """clip(quantize(x), a, b) = quantize(clip(x, dequantize(a), dequantize(b))): x's kernel clamps."""
        quantize = self._own_quantize(call.args[0])
        if quantize is None:
            return call
        scale, zero_point, dtype = self._own(quantize)
        low, high = ((bound - zero_point) * scale for bound in _bounds(call))
        real = self.emit(relax.op.clip(quantize.args[0], low, high))
        return relax.op.quantize(real, *quantize.args[1:3], axis=0, out_dtype=dtype)

    def _concatenate_integers(self, call: relax.Call) -> relax.Expr:
        fields = list(call.args[0].fields)
        meanings = {self._dequantized(field) for field in fields}
        if len(meanings) != 1 or None in meanings:
            return call
        dequantize = self.producer(fields[0])
        joined = self.emit(
            relax.op.concat([self.producer(field).args[0] for field in fields], call.attrs.axis)
        )
        return relax.op.dequantize(joined, *dequantize.args[1:3], axis=0)

    def _own(self, call: relax.Call) -> tuple[float, int, str]:
        """Scale, zero point and dtype of a quantize."""
        scale, zero_point = (tvm_adapter.constant_value(argument) for argument in call.args[1:3])
        return float(scale), int(zero_point), str(call.attrs.out_dtype)

    def _quantize_earlier(self, call: relax.Call) -> relax.Expr:
        operand = call.args[0]
        source = self.producer(operand)
        name = tvm_adapter.op_name(source)
        dtype = str(call.attrs.out_dtype)
        meaning = self._dequantized(operand)
        if meaning is not None:
            return source.args[0] if self._own(call) == meaning else self._pad_later(call, source, meaning)
        if name in MOVING and _is_nearest(source):
            return self._moved(source, self._quantized_like(call, source.args[0]), call)
        if name == "relax.concat":
            axis = int(source.attrs.axis)
            return relax.op.concat(
                [self._quantized_like(call, field) for field in source.args[0].fields], axis
            )
        if name in CHOICES:
            return self._choice_of_integers(call, source)
        if name in CLAMPS and self._dequantized(source.args[0]) == self._own(call):
            return self._clamped(self._quantized_like(call, source.args[0]), source, call, dtype)
        return call

    def _choice_of_integers(self, call: relax.Call, source: relax.Call) -> relax.Expr:
        """Both operands in the result's quantization; their comparison is one of integers then."""
        real = [
            self.emit(relax.op.dequantize(self._quantized_like(call, operand), *call.args[1:3], axis=0))
            for operand in source.args
        ]
        choice = self.emit(CHOICES[tvm_adapter.op_name(source)](*real))
        return relax.op.quantize(choice, *call.args[1:3], axis=0, out_dtype=call.attrs.out_dtype)

    def _pad_later(self, call: relax.Call, source: relax.Call, meaning: tuple[float, int, str]) -> relax.Expr:
        """Requantize, then pad by the new zero point: a convolution that follows can take it in."""
        pad = self.producer(source.args[0])
        by_zero = (
            tvm_adapter.op_name(pad) == "relax.nn.pad"
            and pad.attrs.pad_mode == "constant"
            and float(pad.attrs.pad_value) == meaning[1]
        )
        if not by_zero:
            return call
        real = self.emit(relax.op.dequantize(pad.args[0], *source.args[1:3], axis=0))
        return self._moved(pad, self._quantized_like(call, real), call, 0.0)

    def _quantized_like(self, call: relax.Call, operand: relax.Expr) -> relax.Expr:
        value = real_value(self, operand)
        if value is not None:
            return tvm_adapter.make_constant(_quantized_array(value, call, str(call.attrs.out_dtype)))
        quantize = relax.op.quantize(operand, *call.args[1:3], axis=0, out_dtype=call.attrs.out_dtype)
        return self.emit(self._quantize_earlier(quantize))


def _bounds(clamp: relax.Call) -> tuple[float, float]:
    name = tvm_adapter.op_name(clamp)
    if name == "relax.clip":
        return tvm_adapter.clip_bounds(clamp)
    return 0.0, 6.0 if name == "relax.nn.relu6" else np.inf


def _quantized_array(real: np.ndarray | float, like: relax.Call, dtype: str) -> np.ndarray:
    """`real` in the quantization of a quantize or dequantize, with float32 arithmetic as TVM's."""
    scale, zero_point = (tvm_adapter.constant_value(argument) for argument in like.args[1:3])
    rounded = np.round(np.float32(real) / np.float32(scale))
    return np.clip(rounded + float(zero_point), *RANGES[dtype]).astype(dtype)


def _quantized(real: float, like: relax.Call, dtype: str) -> int:
    return int(_quantized_array(real, like, dtype))


def _is_vector(shape: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    """Whether a constant of this shape lies along the last axis alone, which a reshape leaves as it is."""
    return before[-1:] == after[-1:] == shape[-1:] and np.prod(shape) == shape[-1]


def _axis_after_reshape(before: tuple[int, ...], after: tuple[int, ...], axis: int) -> int | None:
    """Where a reshape puts an axis, if it keeps it whole."""
    outer = np.prod(before[:axis], dtype=np.int64)
    found = (
        index
        for index, size in enumerate(after)
        if size == before[axis] and np.prod(after[:index], dtype=np.int64) == outer
    )
    return next(found, None)
