"""From a float computation between dequantize and quantize to the normal form of docs/design.md.

Three facts do the work, all of them exact:

* what moves or chooses elements commutes with quantize and with dequantize;
* so does a clamp, as both are monotonic:
  quantize(clip(x, a, b)) = clip(quantize(x), quantize(a), quantize(b));
* quantize(dequantize(q)) = q for one scale and zero point.
"""

import numpy as np
import tvm
from tvm import relax
from tvm_ffi import structural_equal

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.frontend.channels_last import count_transposes, with_channels_last_inputs
from tinycc.frontend.edge_quantization import with_edge_quantization
from tinycc.passes.convert_layout_to_nhwc import ConvertLayoutToNhwc
from tinycc.passes.dataflow_rewriter import DataflowRewriter
from tinycc.passes.eliminate_transposes import EliminateTransposes
from tinycc.passes.fold_integer_constants import FoldIntegerConstants

MOVING = (
    "relax.reshape", "relax.squeeze", "relax.expand_dims", "relax.permute_dims", "relax.nn.pad",
    "relax.strided_slice", "relax.nn.max_pool2d", "relax.nn.max_pool1d", "relax.image.resize2d",
)  # fmt: skip
RESHAPES = ("relax.reshape", "relax.squeeze", "relax.expand_dims")
CLAMPS = ("relax.nn.relu", "relax.nn.relu6", "relax.clip")
PRODUCTS = ("relax.nn.conv2d", "relax.nn.conv2d_transpose", "relax.matmul")
BINARY = ("relax.add", "relax.subtract", "relax.multiply", "relax.divide", "relax.maximum", "relax.minimum")
RANGES = {"int8": (-128, 127), "int16": (-32768, 32767)}


def _is_nearest(call: relax.Call) -> bool:
    return tvm_adapter.op_name(call) != "relax.image.resize2d" or call.attrs.method == "nearest_neighbor"


class MoveToIntegers(DataflowRewriter):
    """Moving, choosing and clamping are done on integers, scales and zero points being scalars."""

    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        """Dequantize later, quantize earlier."""
        if name in RESHAPES:
            return self._reshape(call)
        if name in MOVING and _is_nearest(call):
            return self._dequantize_later(call)
        if name in CLAMPS and self.producer_name(call.args[0]) in CLAMPS:
            return self._merged_clamps(call)
        if (name in CLAMPS or name == "relax.add") and self.producer_name(call.args[0]) in RESHAPES:
            return self._reshape_later(call)
        if name == "relax.nn.relu":
            return self._clamp_integers(call)
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

    def _reshape_later(self, call: relax.Call) -> relax.Expr:
        """A clamp or a bias on the last axis, before the reshape of what a one-dimensional layer computes."""
        reshape = self.producer(call.args[0])
        source = reshape.args[0]
        before, after = tvm_adapter.shape_of(source), tvm_adapter.shape_of(call.args[0])
        if self._dequantized(source) or tvm_adapter.dtype_of(source) != "float32":
            return call
        operands = list(call.args[1:])
        if tvm_adapter.op_name(call) == "relax.add":
            bias = self.producer(operands[0])
            while tvm_adapter.op_name(bias) in RESHAPES:
                bias = self.producer(bias.args[0])
            channels = tvm_adapter.shape_of(operands[0])[-1:]
            is_bias = tvm_adapter.is_constant(bias) and channels == (tvm_adapter.constant_value(bias).size,)
            if not is_bias or before[-1:] != after[-1:] or channels != after[-1:]:
                return call
            operands = [tvm_adapter.make_constant(tvm_adapter.constant_value(bias).reshape(-1))]
        computed = self.emit(relax.Call(call.op, [source, *operands], call.attrs, call.ty_args))
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
        if self._dequantized(call.args[0]) is None:
            return call
        dequantize = self.producer(call.args[0])
        moved = self.emit(self._moved(call, dequantize.args[0], dequantize))
        return relax.op.dequantize(moved, *dequantize.args[1:3], axis=0)

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
        quantize = self.producer(integers)
        if (
            tvm_adapter.op_name(quantize) == "relax.quantize"
            and self._quantization(quantize.args[0]) is None
            and not isinstance(self.producer(quantize.args[0]), relax.Var)
            and self.is_used_once(integers)
        ):
            real = self.emit(
                relax.Call(clamp.op, [quantize.args[0], *clamp.args[1:]], clamp.attrs, clamp.ty_args)
            )
            return relax.op.quantize(real, *quantize.args[1:3], axis=0, out_dtype=dtype)
        low, high = (_quantized(bound, like, dtype) for bound in _bounds(clamp))
        return relax.op.clip(integers, low, high)

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

    def _quantize_earlier(self, call: relax.Call) -> relax.Expr:
        operand = call.args[0]
        source = self.producer(operand)
        name = tvm_adapter.op_name(source)
        dtype = str(call.attrs.out_dtype)
        meaning = self._dequantized(operand)
        if meaning is not None:
            own = (*(tvm_adapter.constant_value(argument).item() for argument in call.args[1:3]), dtype)
            return source.args[0] if own == meaning else self._pad_later(call, source, meaning)
        if name in MOVING and _is_nearest(source):
            return self._moved(source, self._quantized_like(call, source.args[0]), call)
        if name == "relax.concat":
            axis = int(source.attrs.axis)
            return relax.op.concat(
                [self._quantized_like(call, field) for field in source.args[0].fields], axis
            )
        if name in CLAMPS and self._dequantized(source.args[0]) is not None:
            return self._clamped(self._quantized_like(call, source.args[0]), source, call, dtype)
        return call

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
        quantize = relax.op.quantize(operand, *call.args[1:3], axis=0, out_dtype=call.attrs.out_dtype)
        return self.emit(self._quantize_earlier(quantize))


def _bounds(clamp: relax.Call) -> tuple[float, float]:
    name = tvm_adapter.op_name(clamp)
    if name == "relax.clip":
        low, high = (float(getattr(bound.value, "value", bound.value)) for bound in clamp.args[1:3])
        return low, high
    return 0.0, 6.0 if name == "relax.nn.relu6" else np.inf


def _quantized(real: float, like: relax.Call, dtype: str) -> int:
    """`real` in the quantization of a quantize or dequantize, with float32 arithmetic as TVM's."""
    scale, zero_point = (tvm_adapter.constant_value(argument) for argument in like.args[1:3])
    low, high = RANGES[dtype]
    rounded = np.round(np.float32(real) / np.float32(scale))
    return int(np.clip(rounded + float(zero_point), low, high))


# Room for the sum of products beside the bias.
MAX_BIAS = 1 << 30


class QuantizeConstants(DataflowRewriter):
    """Float constants become integers: biases int32 of the products' scale, other operands int8."""

    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        """Biases, and constant operands of element-wise operators."""
        if name not in BINARY:
            return call
        left, right = call.args
        if self._constant(left) is not None and name in ("relax.add", "relax.multiply"):
            left, right = right, left
        constant = self._constant(right)
        if constant is None:
            return relax.Call(call.op, [left, right], call.attrs)
        product = self.producer(left)
        if name == "relax.add" and tvm_adapter.op_name(product) in PRODUCTS:
            channels = tvm_adapter.shape_of(left)[-1]
            scale = self._accumulator_scale(product)
            if scale is not None and constant.size in (1, channels):
                real = np.broadcast_to(constant.reshape(-1), (channels,)).astype(np.float64)
                factor = np.maximum(np.abs(real) / (scale.astype(np.float64) * MAX_BIAS), 1.0)
                if (factor > 1.0).any():
                    left, scale = self._coarser(product, factor), np.asarray(scale * factor, np.float32)
                return relax.op.add(left, self._stored(np.round(real / scale).astype(np.int32), scale))
        if tvm_adapter.is_constant(right) and self.producer_name(left) == "relax.dequantize":
            if constant.size == 1 and tvm_adapter.dtype_of(self.producer(left).args[0]) == "int8":
                return relax.Call(call.op, [left, right], call.attrs)  # a function of one tensor: a table
            return relax.Call(call.op, [left, self._operand(constant)], call.attrs)
        return relax.Call(call.op, [left, right], call.attrs)

    def _constant(self, expr: relax.Expr) -> np.ndarray | None:
        """The real value of a constant or a dequantized constant."""
        if tvm_adapter.is_constant(expr):
            return tvm_adapter.constant_value(expr)
        call = self.producer(expr)
        if tvm_adapter.op_name(call) == "relax.reshape":
            value = self._constant(call.args[0])
            return None if value is None else value.reshape(tvm_adapter.shape_of(expr))
        if tvm_adapter.op_name(call) != "relax.dequantize" or not tvm_adapter.is_constant(call.args[0]):
            return None
        stored, scale, zero_point = (tvm_adapter.constant_value(argument) for argument in call.args[:3])
        shape = [1] * stored.ndim
        if scale.ndim:
            shape[int(call.attrs.axis)] = scale.size
        return (
            stored.astype(np.float64) - zero_point.reshape(shape if zero_point.ndim else ())
        ) * scale.reshape(shape if scale.ndim else ()).astype(np.float64)

    def _accumulator_scale(self, product: relax.Call) -> np.ndarray | None:
        """Input scale x weight scale of a product, a scalar or one for each channel."""
        scales = []
        for operand in product.args[:2]:
            call = self.producer(operand)
            if tvm_adapter.op_name(call) != "relax.dequantize":
                return None
            scales.append(tvm_adapter.constant_value(call.args[1]))
        return np.asarray(scales[0] * scales[1], np.float32)

    def _coarser(self, product: relax.Call, factor: np.ndarray) -> relax.Expr:
        """`product` with the weights' scales times `factor` [channels], so that biases fit 32 bits.

        A channel that needs it weighs next to nothing beside its bias.
        """
        weights = self.producer(product.args[1])
        stored, scale, zero_point = (tvm_adapter.constant_value(argument) for argument in weights.args[:3])
        if scale.shape != factor.shape:
            raise UnsupportedError(
                f"a bias does not fit 32 bits at the scale {scale.min():.6g} of its layer's weights; "
                "quantize the model again"
            )
        axis = int(weights.attrs.axis)
        shape = [scale.size if index == axis else 1 for index in range(stored.ndim)]
        zero_points = zero_point.reshape(shape if zero_point.ndim else ()).astype(np.float64)
        integers = np.round((stored - zero_points) / factor.reshape(shape)) + zero_points
        constants = [integers.astype(stored.dtype), np.asarray(scale * factor, np.float32), zero_point]
        coarser = self.emit(relax.op.dequantize(*map(tvm_adapter.make_constant, constants), axis=axis))
        return self.emit(relax.Call(product.op, [product.args[0], coarser], product.attrs))

    def _operand(self, real: np.ndarray) -> relax.Expr:
        """A constant operand as int8, exact where it has a single value."""
        largest = float(np.abs(real).max(initial=0.0))
        steps = 1 if (np.abs(real) == largest).all() else 127
        scale = np.float32(largest / steps if largest else 1.0)
        return self._stored(np.round(real / scale).astype(np.int8), np.asarray(scale))

    def _stored(self, integers: np.ndarray, scale: np.ndarray) -> relax.Expr:
        zero_point = np.zeros(scale.shape, np.int32)
        constants = [relax.const(value, str(value.dtype)) for value in (integers, scale, zero_point)]
        return self.emit(relax.op.dequantize(*constants, axis=0))


def refuse_float_layers(module: tvm.IRModule) -> None:
    """UnsupportedError for a convolution or matrix product whose operands are not quantized."""
    values = {binding.var: binding.value for binding in tvm_adapter.bindings_of(module["main"])}
    for variable, call in values.items():
        name = tvm_adapter.op_name(call)
        if name not in PRODUCTS:
            continue
        for operand in call.args[:2]:
            if tvm_adapter.op_name(values.get(operand, operand)) != "relax.dequantize":
                shape = "x".join(map(str, tvm_adapter.shape_of(variable)))
                raise UnsupportedError(
                    f"the {name.rpartition('.')[2]} with result {shape} has operands that are not quantized; "
                    "quantize the whole model to int8"
                )


def refuse_empty_tensors(module: tvm.IRModule) -> None:
    """UnsupportedError for a tensor without elements."""
    main = module["main"]
    variables = [*main.params, *(binding.var for binding in tvm_adapter.bindings_of(main))]
    for variable in variables:
        if isinstance(variable.ty, relax.TensorType) and min(tvm_adapter.shape_of(variable), default=1) < 1:
            shape = "x".join(map(str, tvm_adapter.shape_of(variable)))
            raise UnsupportedError(f"a tensor of the shape {shape} has no elements")


def to_normal_form(module: tvm.IRModule) -> tvm.IRModule:
    """An imported module with edges, whatever its layout, in the normal form.

    Raises UnsupportedError for a layer that is not quantized, or a tensor without elements.
    """
    refuse_empty_tensors(module)
    result = _with_layout(module)
    if count_transposes(result):
        channels_last = _with_layout(with_channels_last_inputs(module))
        result = min(result, channels_last, key=count_transposes)
    refuse_float_layers(result)
    return with_edge_quantization(result)


def _with_layout(module: tvm.IRModule) -> tvm.IRModule:
    """NHWC, quantized throughout; inputs are channels last where all their readers want them so."""
    layout = [FoldIntegerConstants(), ConvertLayoutToNhwc(), EliminateTransposes(), FoldIntegerConstants()]
    module = move_to_integers(tvm.transform.Sequential(layout)(move_to_integers(module)))
    return move_to_integers(QuantizeConstants(module).run())


def move_to_integers(module: tvm.IRModule, sweeps: int = 8) -> tvm.IRModule:
    """`MoveToIntegers` until nothing changes."""
    for _ in range(sweeps):
        moved = MoveToIntegers(module).run()
        if structural_equal(moved, module):
            break
        module = moved
    return module
