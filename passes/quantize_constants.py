"""Float constants become integers: biases int32 of the products' scale, other operands int8.

Before: add(conv2d(dequantize(x, s), dequantize(w, t)), b), multiply(dequantize(y), c: a vector)
After:  add(conv2d(...), dequantize(B: int32, s * t)), multiply(dequantize(y), dequantize(C: int8))
Requires: channels last. A single number beside an int8 tensor stays: together they are a table.
"""

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.ops.softmax.masked import is_mask
from tinycc.passes.dataflow_rewriter import DataflowRewriter
from tinycc.passes.fold_into_products import PRODUCTS
from tinycc.passes.real_constants import real_value

BINARY = ("relax.add", "relax.subtract", "relax.multiply", "relax.divide", "relax.maximum", "relax.minimum")
# Room for the sum of products beside the bias.
MAX_BIAS = 1 << 30


class _Quantizer(DataflowRewriter):
    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        """Whatever has one operand that is constant."""
        if name == "relax.nn.prelu":
            return self._slopes(call)
        if name not in BINARY:
            return call
        operands = list(call.args)
        if real_value(self, operands[0]) is not None and name in ("relax.add", "relax.multiply"):
            operands.reverse()
        constants = [real_value(self, operand) for operand in operands]
        if name == "relax.add" and constants[1] is not None:
            biased = self._biased(operands[0], constants[1])
            if biased is not None:
                return biased
        for index, constant in enumerate(constants):
            other = self.producer(operands[1 - index])
            if not tvm_adapter.is_constant(operands[index]) or constant is None:
                continue
            if tvm_adapter.op_name(other) != "relax.dequantize":
                continue
            if name == "relax.add" and is_mask(
                constant, float(tvm_adapter.constant_value(other.args[1]).max())
            ):
                continue  # a softmax knows it
            if constant.size > 1 or tvm_adapter.dtype_of(other.args[0]) != "int8":
                operands[index] = self._operand(constant)
            # Otherwise a function of one tensor: a table.
        return relax.Call(call.op, operands, call.attrs)

    def _biased(self, source: relax.Expr, constant: np.ndarray) -> relax.Expr | None:
        """A product and a number for each channel; None where `source` is no product of integers."""
        product = self.producer(source)
        if tvm_adapter.op_name(product) not in PRODUCTS:
            return None
        channels = tvm_adapter.shape_of(source)[-1]
        scale = self._accumulator_scale(product)
        is_vector = constant.size == 1 or constant.shape[-1:] == (constant.size,)
        if scale is None or constant.size not in (1, channels) or not is_vector:
            return None
        real = np.broadcast_to(constant.reshape(-1), (channels,))
        factor = np.maximum(np.abs(real) / (scale.astype(np.float64) * MAX_BIAS), 1.0)
        if (factor > 1.0).any():
            source, scale = self._coarser(product, factor), np.asarray(scale * factor, np.float32)
        return relax.op.add(source, self._stored(np.round(real / scale).astype(np.int32), scale))

    def _slopes(self, call: relax.Call) -> relax.Expr:
        """Slopes of a PReLU as integers; one for all elements is that of a leaky ReLU."""
        slopes = real_value(self, call.args[1])
        if slopes is None:
            return call
        if (slopes == slopes.flat[0]).all():
            return relax.op.nn.leakyrelu(call.args[0], float(slopes.flat[0]))
        return relax.Call(call.op, [call.args[0], self._operand(slopes, np.int16)], call.attrs)

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

    def _operand(self, real: np.ndarray, dtype: type[np.integer] = np.int8) -> relax.Expr:
        """A constant operand as integers, exact where it has a single value."""
        largest = float(np.abs(real).max(initial=0.0))
        steps = 1 if (np.abs(real) == largest).all() else np.iinfo(dtype).max
        scale = np.float32(largest / steps if largest else 1.0)
        return self._stored(np.round(real / scale).astype(dtype), np.asarray(scale))

    def _stored(self, integers: np.ndarray, scale: np.ndarray) -> relax.Expr:
        zero_point = np.zeros(scale.shape, np.int32)
        constants = [relax.const(value, str(value.dtype)) for value in (integers, scale, zero_point)]
        return self.emit(relax.op.dequantize(*constants, axis=0))


@tvm.transform.module_pass(opt_level=0, name="QuantizeConstants")
class QuantizeConstants:
    """Biases, slopes, and constant operands of element-wise operators; see above.

    Raises UnsupportedError for a bias that fits 32 bits at no scale of its layer's weights.
    """

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Quantize the constants of `main`."""
        return _Quantizer(module).run()
