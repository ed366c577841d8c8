"""Reading a composite function: its operands, its quantization, its fused activation."""

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.fixed_point import activation_range
from tinycc.ops.tensor import Tensor

# Calls that only rename a tensor: the result is the same bytes.
VIEWS = ("relax.reshape", "relax.squeeze", "relax.expand_dims", "relax.flatten")


class Composite:
    """A composite function, opened for reading.

    Operators build their views through this class only; it knows how quantization is written in the
    normal form.
    """

    def __init__(self, function: relax.Function) -> None:
        self.function = function
        self._values = {binding.var: binding.value for binding in tvm_adapter.bindings_of(function)}
        self._parameters = {parameter: index for index, parameter in enumerate(function.params)}
        self.kind = str(tvm_adapter.attribute(function, "Composite", "")).removeprefix("tinycc.")

    def resolve(self, expr: relax.Expr) -> relax.Expr:
        """The value of a variable bound in the body; parameters, constants and calls as they are."""
        while expr in self._values:
            expr = self._values[expr]
        return expr

    def calls(self, name: str) -> list[relax.Call]:
        """All calls of an operator, e.g. "relax.add", in order."""
        return [value for value in self._values.values() if tvm_adapter.op_name(value) == name]

    def call(self, name: str) -> relax.Call:
        """The first call of an operator; ValueError if there is none."""
        for call in self.calls(name):
            return call
        raise ValueError(f"{self.kind} has no {name}")

    def has(self, name: str) -> bool:
        """Whether the body calls an operator."""
        return bool(self.calls(name))

    def attribute(self, name: str) -> object:
        """An attribute of the function."""
        return tvm_adapter.attribute(self.function, name)

    def integers(self, name: str) -> tuple[int, ...]:
        """An attribute of the function that is a list of integers, or one; ValueError where it has none."""
        value = tvm_adapter.attribute(self.function, name)
        if value is None:
            raise ValueError(f"{self.kind} has no attribute {name}")
        return (int(value),) if isinstance(value, int) else tuple(map(int, value))

    def integer(self, name: str) -> int:
        """An attribute of the function that is an integer."""
        [value] = self.integers(name)
        return value

    def tensor(self, expr: relax.Expr) -> Tensor:
        """The stored tensor behind an operand: a parameter, a constant, or either under a dequantize."""
        expr = self.resolve(expr)
        scale: float | np.ndarray | None = None
        zero_point = 0
        if tvm_adapter.op_name(expr) == "relax.dequantize":
            stored, scale_expr, zero_point_expr = expr.args[:3]
            scale, zero_point = _quantization(scale_expr, zero_point_expr)
            expr = self.resolve(stored)
        shape, dtype = tvm_adapter.shape_of(expr), tvm_adapter.dtype_of(expr)
        if tvm_adapter.is_constant(expr):
            return Tensor(shape, dtype, scale, zero_point, value=tvm_adapter.constant_value(expr))
        if expr not in self._parameters:
            raise ValueError(f"an operand of {self.kind} is neither a parameter nor a constant")
        return Tensor(shape, dtype, scale, zero_point, parameter=self._parameters[expr])

    def weights(self, expr: relax.Expr) -> tuple[Tensor, np.ndarray]:
        """A constant under a dequantize, and its zero points: int64, one or one for each output channel."""
        dequantize = self.resolve(expr)
        value = tvm_adapter.constant_value(self.resolve(dequantize.args[0]))
        scale, zero_points = (tvm_adapter.constant_value(argument) for argument in dequantize.args[1:3])
        tensor = Tensor(value.shape, str(value.dtype), scale if scale.ndim else float(scale), value=value)
        return tensor, np.atleast_1d(zero_points).astype(np.int64)

    def stored(self, expr: relax.Expr) -> relax.Expr:
        """What a dequantize reads: a constant, or a variable."""
        return self.resolve(self.resolve(expr).args[0])

    def real_constant(self, expr: relax.Expr) -> np.ndarray:
        """A float32 constant, or an integer one through its dequantize."""
        expr = self.resolve(expr)
        if tvm_adapter.is_constant(expr):
            return tvm_adapter.constant_value(expr)
        stored, scales, zero_points = (
            tvm_adapter.constant_value(self.resolve(operand)) for operand in expr.args[:3]
        )
        shape = [1] * stored.ndim
        shape[int(expr.attrs.axis) % stored.ndim] = -1
        scales, zero_points = (item.reshape(shape if item.ndim else ()) for item in (scales, zero_points))
        return ((stored.astype(np.float32) - zero_points) * scales).astype(np.float32)

    def added_constant(self) -> np.ndarray | None:
        """The constant that is added, as it is stored: the bias of a layer; None where there is none."""
        for call in self.calls("relax.add"):
            bias = self.tensor(call.args[1]).value
            if bias is not None:
                return bias
        return None

    def dequantized(self, call: relax.Call) -> Tensor:
        """The tensor that a dequantize reads, whatever computes it."""
        stored = call.args[0]
        quantization = _quantization(*call.args[1:3])
        return Tensor(tvm_adapter.shape_of(stored), tvm_adapter.dtype_of(stored), *quantization)

    def result(self) -> Tensor:
        """The function's single result, with its quantization where it ends in a quantize."""
        return self.quantized(self.resolve(self.function.body.body))

    def quantized(self, expr: relax.Expr) -> Tensor:
        """The tensor that an expression of the body computes, with its quantization if it is a quantize."""
        scale: float | np.ndarray | None = None
        zero_point = 0
        if tvm_adapter.op_name(expr) == "relax.quantize":
            scale, zero_point = _quantization(*expr.args[1:3])
        return Tensor(tvm_adapter.shape_of(expr), tvm_adapter.dtype_of(expr), scale, zero_point)

    def activation_bounds(self) -> tuple[float | None, float | None]:
        """Real bounds (low, high) of the activation just before the final quantize; None where unbounded."""
        expr = self.resolve(self.function.body.body)
        if tvm_adapter.op_name(expr) == "relax.quantize":
            expr = self.resolve(expr.args[0])
        name = tvm_adapter.op_name(expr)
        if name == "relax.nn.relu":
            return 0.0, None
        if name == "relax.clip":
            low, high = (float(bound.value) for bound in expr.args[1:3])
            return (low if np.isfinite(low) else None), (high if np.isfinite(high) else None)
        return None, None

    def output_range(self) -> tuple[float, float]:
        """The clamp of the result, of integers where it is quantized."""
        output = self.result()
        if output.scale is None:
            return self.real_range()
        return activation_range(*self.activation_bounds(), output.real_scale, output.zero_point, output.dtype)

    def real_range(self) -> tuple[float, float]:
        """The activation's bounds of real numbers; infinite where there are none."""
        low, high = self.activation_bounds()
        return (-np.inf if low is None else low), (np.inf if high is None else high)


def _quantization(scale: relax.Expr, zero_point: relax.Expr) -> tuple[float | np.ndarray, int]:
    scales = tvm_adapter.constant_value(scale)
    zero_points = np.unique(tvm_adapter.constant_value(zero_point))
    if zero_points.size != 1:
        raise ValueError("a zero point for each channel is not supported")
    return (float(scales) if scales.ndim == 0 else scales), int(zero_points[0])
