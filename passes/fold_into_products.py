"""What constants do to the result of a convolution or matrix product is done by its weights and bias.

Before: divide(multiply(add(conv2d(x, dequantize(w, s)), b), c), d), alpha of a Gemm before its matmul
After:  add(conv2d(x, dequantize(w, s * c / d)), b * c / d)
Requires: channels last, weights that are constants, or under a dequantize.

A factor for each output channel goes into the weights, or into the scale of those that are integers. Where
it is negative, these are complemented: ~w - ~z = -(w - z), in the same eight bits. A channel that is
multiplied by 0 has weights of 0. Weights lose their zero point where they fit eight bits without it.
"""

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.passes.dataflow_rewriter import DataflowRewriter
from tinycc.passes.real_constants import dequantized_constant, real_value

PRODUCTS = ("relax.nn.conv2d", "relax.nn.conv2d_transpose", "relax.matmul")
ARITHMETIC = ("relax.add", "relax.subtract", "relax.multiply", "relax.divide")


class _Folder(DataflowRewriter):
    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        """Numbers that are added to a product, or that it is multiplied with."""
        if name in PRODUCTS:
            return self._scaled_input(self._without_zero_point(call))
        if name not in ARITHMETIC:
            return call
        constants = [real_value(self, operand) for operand in call.args]
        if (constants[0] is None) == (constants[1] is None):
            return call
        is_left = constants[0] is not None
        constant = constants[0] if is_left else constants[1]
        assert constant is not None
        source = call.args[1 if is_left else 0]
        product, bias = self._product_of(source)
        shape = tvm_adapter.shape_of(source)
        if product is None or shape != tvm_adapter.shape_of(self.builder.normalize(call)):
            return call
        if (
            constant.size != 1 and constant.size != max(constant.shape[-1:], default=1)
        ) or constant.ndim > len(shape):
            return call
        number = np.broadcast_to(constant.reshape(-1), shape[-1:])
        if name == "relax.divide" and (is_left or not number.all()):
            return call
        factor = {"relax.multiply": number, "relax.divide": 1 / np.where(number, number, 1)}.get(name)
        if factor is None:
            factor = np.full(shape[-1:], -1.0 if name == "relax.subtract" and is_left else 1.0)
            offset = -number if name == "relax.subtract" and not is_left else number
        else:
            offset = np.zeros(shape[-1:])
        if (factor == 1).all() and bias is None and name == "relax.add":
            return call
        scaled = self._scaled(product, factor)
        if scaled is None:
            return call
        total = offset if bias is None else bias * factor + offset
        if not total.any():
            return scaled
        return relax.op.add(self.emit_once(scaled), tvm_adapter.make_constant(total.astype(np.float32)))

    def _product_of(self, expr: relax.Expr) -> tuple[relax.Call | None, np.ndarray | None]:
        """The product that `expr` is, and the bias [channels] that it adds; nobody else may read either."""
        call = self.producer(expr)
        bias = None
        if tvm_adapter.op_name(call) == "relax.add" and self.is_used_once(expr):
            bias = real_value(self, call.args[1])
            expr = call.args[0]
            channels = tvm_adapter.shape_of(expr)[-1]
            if bias is None or bias.size not in (1, channels):
                return None, None
            bias = np.broadcast_to(bias.reshape(-1), (channels,))
            call = self.producer(expr)
        is_product = tvm_adapter.op_name(call) in PRODUCTS and self.is_used_once(expr)
        return (call, bias) if is_product else (None, None)

    def _weights(self, product: relax.Call) -> relax.Call | None:
        """The dequantize of a product's constant weights."""
        weights = self.producer(product.args[1])
        is_constant = tvm_adapter.op_name(weights) == "relax.dequantize" and tvm_adapter.is_constant(
            weights.args[0]
        )
        return weights if is_constant else None

    def _scaled_input(self, product: relax.Call) -> relax.Expr:
        """product(c * x, w) = product(x, c * w), of a number c."""
        source = self.producer(product.args[0])
        if tvm_adapter.op_name(source) != "relax.multiply":
            return product
        for index in (0, 1):
            number = real_value(self, source.args[index])
            if number is None or number.size != 1:
                continue
            unscaled = relax.Call(product.op, [source.args[1 - index], product.args[1]], product.attrs)
            if tvm_adapter.shape_of(source.args[1 - index]) != tvm_adapter.shape_of(product.args[0]):
                continue
            channels = tvm_adapter.shape_of(self.builder.normalize(product))[-1]
            scaled = self._scaled(unscaled, np.full(channels, number.item()))
            return product if scaled is None else scaled
        return product

    def _scaled(self, product: relax.Call, factor: np.ndarray) -> relax.Call | None:
        """`product`, its output channels times `factor` [channels]; None where weights are no constants."""
        weights = self._weights(product)
        axis = _output_axis(product)
        if weights is None:
            return self._scaled_real(product, factor, axis)
        if (factor == 1).all():
            return product
        stored, scale, zero_point = dequantized_constant(weights)
        if stored.shape[axis] != factor.size:
            return None
        shape = [factor.size if index == axis else 1 for index in range(stored.ndim)]
        by_channel = factor.reshape(shape)
        if any(item.ndim and item.shape != tuple(shape) and item.size > 1 for item in (scale, zero_point)):
            return None
        integers = np.where(by_channel < 0, ~stored, stored)
        zero_points = np.where(by_channel < 0, ~zero_point, zero_point)
        integers = np.where(by_channel == 0, zero_points, integers).astype(stored.dtype)
        scales = np.broadcast_to(scale * np.where(by_channel, np.abs(by_channel), 1.0), shape)
        return self._with_weights(product, integers, scales, zero_points, axis)

    def _scaled_real(self, product: relax.Call, factor: np.ndarray, axis: int) -> relax.Call | None:
        """The same where weights are real numbers."""
        if not tvm_adapter.is_constant(product.args[1]):
            return None
        value = tvm_adapter.constant_value(product.args[1])
        if value.shape[axis] != factor.size or value.dtype != np.float32:
            return None
        shape = [factor.size if index == axis else 1 for index in range(value.ndim)]
        scaled = tvm_adapter.make_constant((value * factor.reshape(shape)).astype(np.float32))
        return relax.Call(product.op, [product.args[0], scaled], product.attrs)

    def _without_zero_point(self, product: relax.Call) -> relax.Call:
        weights = self._weights(product)
        if weights is None:
            return product
        stored, scale, zero_point = dequantized_constant(weights)
        shifted = stored.astype(np.int64) - zero_point
        limits = np.iinfo(stored.dtype)
        if not zero_point.any() or shifted.min() < limits.min or shifted.max() > limits.max:
            return product
        axis = int(weights.attrs.axis)
        return self._with_weights(
            product, shifted.astype(stored.dtype), scale, np.zeros_like(zero_point), axis
        )

    def _with_weights(
        self,
        product: relax.Call,
        integers: np.ndarray,
        scales: np.ndarray,
        zero_points: np.ndarray,
        axis: int,
    ) -> relax.Call:
        """`product` of other weights; one scale, or one zero point, where all channels have the same."""
        numbers = [
            _one_where_equal(values) for values in (scales.astype(np.float32), zero_points.astype(np.int32))
        ]
        size = max(values.size for values in numbers)
        if size > 1:
            numbers = [np.broadcast_to(values, (size,)) for values in numbers]
        constants = [tvm_adapter.make_constant(values) for values in (integers, *numbers)]
        weights = self.emit(relax.op.dequantize(*constants, axis=axis))
        return relax.Call(product.op, [product.args[0], weights], product.attrs)


def _one_where_equal(values: np.ndarray) -> np.ndarray:
    flat = values.reshape(-1)
    return flat[0].reshape(()) if (flat == flat[0]).all() else flat


def _output_axis(product: relax.Call) -> int:
    """The axis of a product's weights that is its output channels."""
    name = tvm_adapter.op_name(product)
    if name == "relax.matmul":
        return len(tvm_adapter.shape_of(product.args[1])) - 1
    return str(product.attrs.kernel_layout).index("O")


@tvm.transform.module_pass(opt_level=0, name="FoldIntoProducts")
class FoldIntoProducts:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Fold what is added to the products of `main`, or multiplied with them."""
        return _Folder(module).run()
