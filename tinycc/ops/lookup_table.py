"""Tables of 256 results for functions of one int8 number.

The operators that TFLite knows have its integer semantics to the bit, or that of its tables; every other
function is computed in float32 and rounded half to even, as ONNX and torch do. Where it has no value, as the
logarithm of a negative number, the result is the least integer, as onnxruntime has it.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tinycc.ops.fixed_point import activation_range, quantize_multiplier
from tinycc.ops.integer_arithmetic import (
    clamp,
    divide_by_power,
    logistic,
    reciprocal_square_root,
    requantize,
    tanh,
)
from tinycc.ops.integer_elementwise import (
    product,
    quotient,
    rescaling,
    squared_difference,
    sum_or_difference,
)
from tinycc.ops.tensor import Tensor


@dataclass(frozen=True)
class QuantizedNumber:
    """An int8 constant of one element."""

    value: int
    scale: float
    zero_point: int


# A function of x: "x", a number, or the name of a Relax operator (less "relax.") with its operands.
Tree = str | float | QuantizedNumber | tuple["Tree", ...]

INT8_VALUES = np.arange(-128, 128)
ELU: Tree = ("where", ("less", "x", 0.0), ("subtract", ("exp", "x"), 1.0), "x")
# TFLite tabulates these, too: real numbers times the inverse of the scale, halves away from zero.
TABLES_OF_TFLITE: tuple[Tree, ...] = (
    ELU,
    ("exp", "x"),
    ("log", "x"),
    ("nn.gelu", "x"),
    ("nn.gelu_tanh", "x"),
)
HARD_SWISH: Tree = ("divide", ("multiply", "x", ("clip", ("add", "x", 3.0), 0.0, 6.0)), 6.0)

Operator = Callable[..., np.ndarray]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.float32(1) / (np.float32(1) + np.exp(-x))


def _rounded(function: Callable[[np.ndarray], np.ndarray]) -> Operator:
    """The float32 nearest to what a function is in double."""
    return lambda x: np.asarray(function(np.asarray(x, np.float64)), np.float32)


_erf = _rounded(np.vectorize(math.erf))
_erfc = _rounded(np.vectorize(math.erfc))
_tanh = _rounded(np.tanh)


def _gelu(x: np.ndarray) -> np.ndarray:
    return np.float32(0.5) * x * _erfc(x * np.float32(-math.sqrt(0.5)))


def _gelu_by_tanh(x: np.ndarray) -> np.ndarray:
    inner = np.float32(math.sqrt(2 / math.pi)) * (x + np.float32(0.044715) * x * x * x)
    return np.float32(0.5) * x * (np.float32(1) + _tanh(inner))


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, np.float32(0))


def _selu(x: np.ndarray) -> np.ndarray:
    alpha, scale = np.float32(1.6732632), np.float32(1.050701)
    return scale * np.where(x > 0, x, alpha * np.expm1(x))


def _astype(x: np.ndarray, is_integer: float) -> np.ndarray:
    real = np.asarray(x, np.float32)
    return np.trunc(real) if is_integer else real


def _softplus(x: np.ndarray, beta: float, threshold: float) -> np.ndarray:
    scaled = x * np.float32(beta)
    return np.where(scaled > threshold, x, np.logaddexp(np.float32(0), scaled) / np.float32(beta))


# Relax's elementwise operators, less "relax."; logical values are numbers here.
OPERATORS: dict[str, Operator] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "add": np.add,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "astype": _astype,
    "atan": np.arctan,
    "atan2": np.arctan2,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "clip": np.clip,
    "cos": np.cos,
    "cosh": np.cosh,
    "divide": np.divide,
    "equal": np.equal,
    "erf": _erf,
    "exp": _rounded(np.exp),
    "floor": np.floor,
    "floor_divide": np.floor_divide,
    "floor_mod": np.mod,
    "full": np.positive,
    "full_like": lambda x, value: value,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "isfinite": np.isfinite,
    "isinf": np.isinf,
    "isnan": np.isnan,
    "less": np.less,
    "less_equal": np.less_equal,
    "log": _rounded(np.log),
    "log_add_exp": np.logaddexp,
    "logical_and": np.logical_and,
    "logical_not": np.logical_not,
    "logical_or": np.logical_or,
    "logical_xor": np.logical_xor,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "mod": np.fmod,
    "multiply": np.multiply,
    "negative": np.negative,
    "nn.gelu": _gelu,
    "nn.gelu_tanh": _gelu_by_tanh,
    "nn.leakyrelu": lambda x, alpha: np.where(x >= 0, x, x * alpha),
    "nn.relu": _relu,
    "nn.relu6": lambda x: np.clip(x, 0, 6),
    "nn.selu": _selu,
    "nn.silu": lambda x: x * _sigmoid(x),
    "nn.softplus": _softplus,
    "not_equal": np.not_equal,
    "ones_like": np.ones_like,
    "power": np.power,
    "round": np.rint,
    "rsqrt": lambda x: np.float32(1) / np.sqrt(x),
    "sigmoid": _sigmoid,
    "sign": np.sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "square": np.square,
    "subtract": np.subtract,
    "tan": np.tan,
    "tanh": _tanh,
    "trunc": np.trunc,
    "where": np.where,
    "zeros_like": np.zeros_like,
}
# Those that change the shape of a number, and nothing else.
RESHAPES: dict[str, Operator] = dict.fromkeys(
    ("broadcast_to", "expand_dims", "reshape", "squeeze"), np.positive
)
# Of integers, less "relax.": what wraps in 8 bits does so here, too.
INTEGER: dict[str, Operator] = {"clip": np.clip, "negative": np.negative}


def table_of(tree: Tree, source: Tensor, output: Tensor) -> np.ndarray:
    """The results of a function for -128 ... 127, int8 [256]."""
    with np.errstate(all="ignore"):  # a factor that is no number is refused
        function = _integer_function(tree, source, output)
    if function is None:
        return _float_table(tree, source, output)
    values = [clamp(function(value - source.zero_point), -128, 127) for value in INT8_VALUES.tolist()]
    return np.array(values, np.int8)


def _float_table(tree: Tree, source: Tensor, output: Tensor) -> np.ndarray:
    with np.errstate(all="ignore"):
        real = np.float32(source.real_scale) * (INT8_VALUES - source.zero_point).astype(np.float32)
        results = np.broadcast_to(np.asarray(evaluate(tree, real), np.float32), real.shape)
        if tree in TABLES_OF_TFLITE:
            scaled = results * (np.float32(1) / np.float32(output.real_scale))
            scaled = np.copysign(np.floor(np.abs(scaled.astype(np.float64)) + 0.5), scaled)
        else:
            scaled = np.rint(results / np.float32(output.real_scale))
    finite = np.clip(np.nan_to_num(scaled, nan=-512.0), -512.0, 512.0)
    return np.clip(finite.astype(np.int64) + output.zero_point, -128, 127).astype(np.int8)


def evaluate(tree: Tree, x: np.ndarray) -> np.ndarray:
    """The values of a function of x, in float32."""
    return _evaluate(tree, x, {})


def _evaluate(tree: Tree, x: np.ndarray, done: dict[int, np.ndarray]) -> np.ndarray:
    """The values of a function of x. done: those of parts, by identity: a part may be used often."""
    if isinstance(tree, str):
        return x
    if isinstance(tree, float):
        return np.asarray(tree, np.float32)
    if isinstance(tree, QuantizedNumber):
        return np.asarray(np.float32(tree.scale) * (tree.value - tree.zero_point), np.float32)
    if id(tree) not in done:
        operands = [_evaluate(operand, x, done) for operand in tree[1:]]
        done[id(tree)] = {**OPERATORS, **RESHAPES}[str(tree[0])](*operands)
    return done[id(tree)]


def _integer_function(tree: Tree, source: Tensor, output: Tensor) -> Callable[[int], int] | None:
    """TFLite's function from an input less its zero point to an output, not clamped; None if it has none."""
    if tree == "x":
        return _clamped((None, None), source, output)
    if tree == ("sigmoid", "x") and (output.scale, output.zero_point) == (2.0**-8, -128):
        return _saturating(lambda x: divide_by_power(logistic(x, 4), 23) - 128, source)
    if tree == ("tanh", "x") and (output.scale, output.zero_point) == (2.0**-7, 0):
        return _saturating(lambda x: divide_by_power(tanh(x, 4), 24), source)
    if tree == ("abs", "x"):
        rescale = rescaling(source.real_scale / output.real_scale)
        return lambda x: rescale(abs(x)) + output.zero_point
    if tree == HARD_SWISH:
        return _hard_swish(source, output)
    if tree == ("rsqrt", "x"):
        return _reciprocal_square_root(source, output)
    if not isinstance(tree, tuple):
        return None
    arithmetic = _arithmetic(tree, source, output)
    if arithmetic is not None or tree[1] != "x":
        return arithmetic
    if tree[0] == "nn.relu":
        return _clamped((0.0, None), source, output)
    if tree[0] == "clip":
        low, high = (_finite(bound) for bound in tree[2:])
        return _clamped((low, high), source, output)
    if tree[0] == "nn.leakyrelu" and isinstance(tree[2], float):
        return _leaky_relu(tree[2], source, output)
    return None


def _arithmetic(tree: tuple[Tree, ...], source: Tensor, output: Tensor) -> Callable[[int], int] | None:
    """ADD, SUB, MUL, DIV, SQUARED_DIFFERENCE of x and a quantized constant, or of x and itself.

    An activation may be fused.
    """
    bounds: tuple[float | None, float | None] = (None, None)
    if tree[0] in ("nn.relu", "clip") and isinstance(tree[1], tuple):
        bounds = (0.0, None) if tree[0] == "nn.relu" else (_finite(tree[2]), _finite(tree[3]))
        tree = tree[1]
    if tree[0] == "square" and isinstance(tree[1], tuple) and tree[1][0] == "subtract":
        tree = ("squared_difference", *tree[1][1:])
    operands = tree[1:]
    if tree[0] not in ("add", "subtract", "multiply", "divide", "squared_difference") or not all(
        operand == "x" or isinstance(operand, QuantizedNumber) for operand in operands
    ):
        return None
    first, second = (one if isinstance(one, QuantizedNumber) else None for one in operands)
    if tree[0] == "divide" and (second is None or second.value == second.zero_point):
        return None  # TFLite's has no quotient of 0
    scales = tuple(source.real_scale if one is None else one.scale for one in (first, second))
    low, high = activation_range(*bounds, output.real_scale, output.zero_point, "int8")
    every = (scales[0], scales[1], output.real_scale)
    combine = {
        "add": sum_or_difference(every, 1),
        "subtract": sum_or_difference(every, -1),
        "multiply": product(every),
        "divide": quotient(every),
        "squared_difference": squared_difference(every),
    }[str(tree[0])]

    def result(x: int) -> int:
        a, b = (x if one is None else one.value - one.zero_point for one in (first, second))
        return clamp(combine(a, b) + output.zero_point, low, high)

    return result


def _finite(bound: Tree) -> float | None:
    return bound if isinstance(bound, float) and math.isfinite(bound) else None


def _saturating(function: Callable[[int], int], source: Tensor) -> Callable[[int], int]:
    """`function` of x in Q4; beyond what Q4 holds the least or largest output."""
    real_multiplier = source.real_scale * 2.0**27
    multiplier, shift = quantize_multiplier(real_multiplier)
    # Not `shift`, which ends at 30: of scales from 8 on even a zero is beyond.
    radius = math.floor(15 * 2.0 ** (27 - math.frexp(real_multiplier)[1]))

    def result(x: int) -> int:
        if x <= -radius:
            return -128
        if x >= radius:
            return 127
        return function(requantize(x, multiplier, shift))

    return result


def _reciprocal_square_root(source: Tensor, output: Tensor) -> Callable[[int], int]:
    """RSQRT: of 0 the largest number; of what is negative, which TFLite refuses, the least."""
    multiplier, shift = quantize_multiplier(1 / (math.sqrt(source.real_scale) * output.real_scale))

    def result(x: int) -> int:
        if x <= 0:
            return 127 if x == 0 else -128
        root, root_shift = reciprocal_square_root(x)
        fine = requantize(1, root, root_shift + 20)
        return requantize(fine, multiplier, shift - 20) + output.zero_point

    return result


def _clamped(
    bounds: tuple[float | None, float | None], source: Tensor, output: Tensor
) -> Callable[[int], int]:
    """RELU and its like: to the output's scale, then clamped."""
    low, high = activation_range(*bounds, output.real_scale, output.zero_point, "int8")
    rescale = rescaling(source.real_scale / output.real_scale)
    return lambda x: clamp(rescale(x) + output.zero_point, low, high)


def _leaky_relu(alpha: float, source: Tensor, output: Tensor) -> Callable[[int], int]:
    """LEAKY_RELU: one multiplier on each side of zero, of a float32 slope, both formed in double."""
    above = rescaling(source.real_scale / output.real_scale)
    below = rescaling(source.real_scale * float(np.float32(alpha)) / output.real_scale)
    return lambda x: (above(x) if x >= 0 else below(x)) + output.zero_point


def _hard_swish(source: Tensor, output: Tensor) -> Callable[[int], int] | None:
    """HARD_SWISH on 16-bit intermediates; None where the output's scale is too fine for them."""
    fine = source.real_scale / 128
    multiplier, exponent = quantize_multiplier(fine / output.real_scale)
    gate_multiplier, gate_exponent = quantize_multiplier(fine / (3 / 32768))
    if exponent > 0:
        return None

    def result(x: int) -> int:
        value = _multiply_high_16(x << 7, _to_16_bits(multiplier))
        gate = x << 7
        if gate_exponent > 0:
            gate = clamp(gate << (gate_exponent - 1), -32768, 32767)
        gate = _multiply_high_16(gate, _to_16_bits(gate_multiplier))
        gate = divide_by_power(gate, max(-gate_exponent, 0))
        if gate_exponent > 0:
            gate = clamp(gate << 1, -32768, 32767)
        # from [-1, 1] to [0, 1], as 2**15 steps
        product = ((gate + 2**15) >> 1) * value
        truncated = abs(product) >> 15
        return divide_by_power(truncated if product >= 0 else -truncated, -exponent) + output.zero_point

    return result


def _to_16_bits(multiplier: int) -> int:
    """An int32 multiplier rounded to its upper half."""
    return min((multiplier + 2**15) >> 16, 2**15 - 1)


def _multiply_high_16(a: int, b: int) -> int:
    """(a * b) / 2**15 of int16 numbers, rounded to nearest with halves up, saturated."""
    return min((a * b + 2**14) >> 15, 2**15 - 1)
