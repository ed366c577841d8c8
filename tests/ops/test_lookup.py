"""Tables of int8 functions: TFLite's operators against the integer reference, others against the function
itself."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

import tinycc
from tests.reference import activation, elementwise
from tests.reference.conversion import requantize
from tests.reference.elementwise import absolute
from tests.reference.fixed_point import INT8, Integers, Quantization, Range
from tests.tools.kernel_runner import (
    check_overlap,
    compile_and_run,
    dequantized,
    module_of,
    quantized,
    views_in,
)
from tinycc.ops.lookup.view import Lookup
from tinycc.run import run

VALUES = np.arange(-128, 128, dtype=np.int8).reshape(1, 4, 64)
Real = Callable[[relax.Expr], relax.Expr]

SCALES = st.sampled_from([0.001, 0.0039, 0.02, 0.05, 0.1, 0.5, 1.3, 13.2, 31.4])
ZERO_POINTS = st.sampled_from([-128, -5, 0, 3, 127])


def number(value: float) -> relax.Expr:
    return relax.const(value, "float32")


def hard_swish(x: relax.Expr) -> relax.Expr:
    gate = relax.op.clip(relax.op.add(x, number(3.0)), 0, 6)
    return relax.op.divide(relax.op.multiply(x, gate), number(6.0))


def lookup_module(function: Real, source: tuple[float, int], output: tuple[float, int]) -> tvm.IRModule:
    return module_of([((1, 4, 64), "int8")], lambda x: quantized(function(dequantized(x, *source)), *output))


def table_of(function: Real, source: tuple[float, int], output: tuple[float, int]) -> np.ndarray:
    """The table; the module has to be one operator."""
    [view] = views_in(lookup_module(function, source, output))
    assert isinstance(view, Lookup)
    return view.table


def quantization(pair: tuple[float, int]) -> Quantization:
    return Quantization(float(np.float32(pair[0])), pair[1])


Reference = Callable[[Quantization, Quantization], Integers]
LINE = VALUES.reshape(-1)
FUNCTIONS: dict[str, tuple[Real, Reference]] = {
    "relu": (relax.op.nn.relu, lambda i, o: activation.relu(LINE, i, o)),
    "relu_n1_to_1": (
        lambda x: relax.op.clip(x, -1, 1),
        lambda i, o: activation.relu(LINE, i, o, "relu_n1_to_1"),
    ),
    "relu6": (lambda x: relax.op.clip(x, 0, 6), lambda i, o: activation.relu(LINE, i, o, "relu6")),
    "leaky_relu": (
        lambda x: relax.op.nn.leakyrelu(x, 0.1),
        lambda i, o: activation.leaky_relu(LINE, i, o, 0.1),
    ),
    "hard_swish": (hard_swish, lambda i, o: activation.hard_swish(LINE, i, o)),
    "abs": (relax.op.abs, lambda i, o: absolute(LINE, i, o)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=25)
@given(SCALES, ZERO_POINTS, st.sampled_from([0.3, 0.77, 1.0, 1.9]), ZERO_POINTS)
def test_operators_of_tflite(name: str, scale: float, zero_point: int, ratio: float, shifted: int) -> None:
    function, reference = FUNCTIONS[name]
    source, output = (scale, zero_point), (scale * ratio, shifted)
    expected = reference(quantization(source), quantization(output))
    np.testing.assert_array_equal(table_of(function, source, output), expected)


@settings(max_examples=20)
@given(SCALES, ZERO_POINTS)
def test_logistic_and_tanh(scale: float, zero_point: int) -> None:
    source = (scale, zero_point)
    logistic = table_of(relax.op.sigmoid, source, (2.0**-8, -128))
    np.testing.assert_array_equal(logistic, activation.logistic_int8(LINE, quantization(source)))
    tanh = table_of(relax.op.tanh, source, (2.0**-7, 0))
    np.testing.assert_array_equal(tanh, activation.tanh_int8(LINE, quantization(source)))


def elu(x: relax.Expr) -> relax.Expr:
    below = relax.op.subtract(number(1.0), relax.op.exp(x))
    return relax.op.add(relax.op.multiply(number(-1.0), relax.op.nn.relu(below)), relax.op.nn.relu(x))


def gelu_of_parts(x: relax.Expr) -> relax.Expr:
    error = relax.op.add(relax.op.erf(relax.op.divide(x, number(math.sqrt(2)))), number(1.0))
    return relax.op.multiply(relax.op.multiply(x, error), number(0.5))


def gelu_by_tanh_of_parts(x: relax.Expr) -> relax.Expr:
    cubic = relax.op.add(x, relax.op.multiply(number(0.044715), relax.op.power(x, number(3.0))))
    inner = relax.op.multiply(number(math.sqrt(2 / math.pi)), cubic)
    gate = relax.op.add(number(1.0), relax.op.tanh(inner))
    return relax.op.multiply(relax.op.multiply(number(0.5), x), gate)


def gelu_by_tanh(x: float) -> float:
    return 0.5 * x * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def mish(x: relax.Expr) -> relax.Expr:
    return relax.op.multiply(x, relax.op.tanh(relax.op.nn.softplus(x)))


def gelu(x: float) -> float:
    return x * 0.5 * (1 + math.erf(x / math.sqrt(2)))


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))


CHAINS: dict[str, tuple[Real, Callable[[float], float]]] = {
    "silu of parts": (lambda x: relax.op.multiply(x, relax.op.sigmoid(x)), lambda x: x * logistic(x)),
    "silu": (relax.op.nn.silu, lambda x: x * logistic(x)),
    "sigmoid": (relax.op.sigmoid, logistic),
    "gelu": (relax.op.nn.gelu, gelu),
    "gelu of parts": (gelu_of_parts, gelu),
    "gelu by tanh": (relax.op.nn.gelu_tanh, gelu_by_tanh),
    "gelu by tanh of parts": (gelu_by_tanh_of_parts, gelu_by_tanh),
    "mish": (mish, lambda x: x * math.tanh(math.log1p(math.exp(x)))),
    "selu": (
        relax.op.nn.selu,
        lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
    ),
    "elu": (elu, lambda x: x if x > 0 else math.expm1(x)),
    "negative": (relax.op.negative, lambda x: -x),
    "square root": (lambda x: relax.op.sqrt(relax.op.abs(x)), lambda x: math.sqrt(abs(x))),
    "exp": (relax.op.exp, math.exp),
    "affine": (
        lambda x: relax.op.add(relax.op.multiply(x, number(0.3)), relax.const([[[0.7]]], "float32")),
        lambda x: 0.3 * x + 0.7,
    ),
}


@pytest.mark.parametrize("name", CHAINS)
def test_chains_of_float_operators_are_rounded_once(name: str) -> None:
    function, real = CHAINS[name]
    scale, zero_point = float(np.float32(0.03)), -10
    table = table_of(function, (0.037, 4), (scale, zero_point))
    exact = np.array([real(0.037 * (value - 4.0)) for value in range(-128, 128)]) / scale + zero_point
    assert np.abs(table - np.clip(exact, -128, 127)).max() < 0.501


def test_halves_are_rounded_to_even() -> None:
    table = table_of(relax.op.negative, (0.5, 0), (1.0, 0))
    assert table[128:134].tolist() == [0, 0, -1, -2, -2, -2]


def test_kernel_looks_up_every_value() -> None:
    module = lookup_module(relax.op.nn.silu, (0.05, 3), (0.03, -100))
    [view] = views_in(module)
    assert isinstance(view, Lookup) and view.overlap_distance(0) == 0 and view.describe() == "silu"
    [result] = compile_and_run(module, [VALUES])
    np.testing.assert_array_equal(result.reshape(-1), view.table)
    check_overlap(module, [VALUES])


def test_clip_of_integers() -> None:
    module = module_of([((1, 4, 64), "int8")], lambda x: relax.op.clip(x, -20, 33))
    [result] = compile_and_run(module, [VALUES])
    np.testing.assert_array_equal(result, np.clip(VALUES, -20, 33))


def test_a_vector_of_constants_is_left_alone() -> None:
    scales = relax.const(np.arange(64, dtype=np.float32), "float32")
    module = module_of(
        [((1, 4, 64), "int8")],
        lambda x: quantized(relax.op.multiply(dequantized(x, 0.1), scales), 0.1),
    )
    assert "lookup" not in [view.kind for view in views_in(module)]


ARITHMETIC = {
    "add": (relax.op.add, elementwise.add),
    "subtract": (relax.op.subtract, elementwise.sub),
    "multiply": (relax.op.multiply, elementwise.mul),
}


def arithmetic_reference(
    name: str, operands: tuple[Integers, Integers], pairs: list[tuple[float, int]], bounds: Range = INT8
) -> Integers:
    a, b, output = map(quantization, pairs)
    return ARITHMETIC[name][1](*operands, (a, b, output), bounds)


@pytest.mark.parametrize("name", ARITHMETIC)
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("is_rectified", [True, False])
@settings(max_examples=8)
@given(SCALES, ZERO_POINTS, SCALES, st.integers(-128, 127), st.sampled_from([0.3, 1.0, 1.9]))
def test_arithmetic_with_a_constant(
    name: str, is_first: bool, is_rectified: bool, scale: float, zero: int, other: float, value: int,
    ratio: float,
) -> None:  # fmt: skip
    source, constant, output = (scale, zero), (other, -7), (scale * ratio, 3)
    stored = np.array(value, np.int8)

    def function(x: relax.Expr) -> relax.Expr:
        pair = (dequantized(stored, *constant), x) if is_first else (x, dequantized(stored, *constant))
        result = ARITHMETIC[name][0](*pair)
        return relax.op.nn.relu(result) if is_rectified else result

    operands = (np.broadcast_to(stored, LINE.shape), LINE) if is_first else (LINE, stored)
    pairs = [constant, source, output] if is_first else [source, constant, output]
    expected = arithmetic_reference(name, operands, pairs, Range(3, 127) if is_rectified else INT8)
    np.testing.assert_array_equal(table_of(function, source, output), expected)


@settings(max_examples=20)
@given(SCALES, ZERO_POINTS, SCALES, st.integers(-128, 127).filter(lambda value: value != -7))
def test_quotients_of_a_constant(scale: float, zero: int, other: float, value: int) -> None:
    source, constant, stored = (scale, zero), (other, -7), np.array(value, np.int8)
    output = (scale / other / 40, 3)
    table = table_of(lambda x: relax.op.divide(x, dequantized(stored, *constant)), source, output)
    expected = elementwise.div(LINE, stored, tuple(map(quantization, (source, constant, output))))
    np.testing.assert_array_equal(table, expected)


def threshold(x: relax.Expr) -> relax.Expr:
    return relax.op.multiply(relax.op.astype(relax.op.greater(x, number(0.7)), "float32"), x)


def softplus_of_parts(x: relax.Expr) -> relax.Expr:
    """As TVM imports torch's."""
    ones = relax.op.full((), number(1.0), "float32")
    return relax.op.where(
        relax.op.greater(x, number(2.0)), x, relax.op.log(relax.op.add(relax.op.exp(x), ones))
    )


def nested(x: relax.Expr, depth: int = 30) -> relax.Expr:
    """Each part is used twice: 2 ** depth paths."""
    for _ in range(depth):
        x = relax.op.multiply(number(0.5), relax.op.add(x, x))
    return x


BRANCHES: dict[str, tuple[Real, Callable[[np.ndarray], np.ndarray]]] = {
    "threshold": (threshold, lambda x: np.where(x > 0.7, x, 0)),
    "softplus": (softplus_of_parts, lambda x: np.where(x > 2, x, np.log1p(np.exp(x)))),
    "reciprocal": (lambda x: relax.op.divide(number(1.0), x), lambda x: 1 / x),
    "cube": (lambda x: relax.op.power(x, number(3.0)), lambda x: x**3),
    "sinh": (relax.op.sinh, np.sinh),
    "nested": (nested, lambda x: x),
    "number of any shape": (
        lambda x: relax.op.multiply(x, relax.op.reshape(dequantized(np.array([3], np.int8), 0.5), (1, 1, 1))),
        lambda x: 1.5 * x,
    ),
}


@pytest.mark.parametrize("name", BRANCHES)
def test_comparisons_choices_and_depth(name: str) -> None:
    function, real = BRANCHES[name]
    scale = float(np.float32(0.037))
    x = scale * (LINE.astype(np.float64) - 4)
    with np.errstate(divide="ignore"):
        exact = np.clip(real(x) / np.float64(np.float32(0.03)) - 10, -128, 127)
    assert np.abs(table_of(function, (0.037, 4), (0.03, -10)) - exact).max() < 0.51


def test_what_has_no_value_is_the_least_integer() -> None:
    """As onnxruntime has it; infinities saturate."""
    table = table_of(relax.op.log, (0.5, 0), (0.1, 5))
    assert (table[:129] == -128).all() and table[130] == 5
    assert table_of(lambda x: relax.op.divide(number(1.0), x), (0.5, 0), (0.1, 5))[128] == 127


def test_functions_with_integers_between_them_are_one_table() -> None:
    def chain(x: relax.Expr) -> relax.Expr:
        first = quantized(relax.op.exp(dequantized(x, 0.03, 4)), 0.1, -100)
        clipped = relax.op.clip(first, -90, 90)
        second = quantized(relax.op.tanh(dequantized(clipped, 0.1, -100)), 0.01, 3)
        return quantized(dequantized(second, 0.01, 3), 0.02, 0)

    views = views_in(module_of([((1, 4, 64), "int8")], chain))
    assert [view.kind for view in views] == ["lookup"]
    [result] = compile_and_run(module_of([((1, 4, 64), "int8")], chain), [VALUES])
    steps = [
        table_of(relax.op.exp, (0.03, 4), (0.1, -100)),
        np.clip(np.arange(-128, 128), -90, 90),
        table_of(relax.op.tanh, (0.1, -100), (0.01, 3)),
    ]
    values = LINE.astype(int)
    for step in steps:
        values = step[values + 128].astype(int)
    expected = requantize(values, quantization((0.01, 3)), quantization((0.02, 0)))
    np.testing.assert_array_equal(result.reshape(-1), expected)


def preprocessing(*, reads_between: bool) -> tvm.IRModule:
    """Times 31 / 64, then minus 1; the product is a second result, or not."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType((1, 4, 64), "int8"))
    with builder.function("main", [x]):
        with builder.dataflow():
            factor = dequantized(np.array([31], np.int8), 1 / 64)
            product = builder.emit(quantized(relax.op.multiply(dequantized(x, 0.02, -9), factor), 0.01, 4))
            one = dequantized(np.array([[127]], np.int8), 1 / 127)
            value = quantized(relax.op.subtract(dequantized(product, 0.01, 4), one), 0.009, 11)
            result = builder.emit_output(relax.Tuple([value, product]) if reads_between else value)
        builder.emit_func_output(result)
    return builder.get()


def test_two_steps_with_constants_are_one_table() -> None:
    [view] = views_in(preprocessing(reads_between=False))
    assert isinstance(view, Lookup)
    steps = [(0.02, -9), (1 / 64, 0), (0.01, 4)]
    product = arithmetic_reference("multiply", (LINE, np.array(31)), steps)
    steps = [(0.01, 4), (1 / 127, 0), (0.009, 11)]
    np.testing.assert_array_equal(
        view.table, arithmetic_reference("subtract", (product, np.array(127)), steps)
    )


def test_a_tensor_between_two_steps_that_is_read_is_kept() -> None:
    views = views_in(preprocessing(reads_between=True))
    assert [view.kind for view in views] == ["lookup", "lookup"]


@pytest.mark.parametrize("elements", [1, 15, 16, 77])
def test_helium_on_the_host(elements: int) -> None:
    module = module_of([((1, elements), "int8")], lambda x: quantized(hard_swish(dequantized(x, 0.1)), 0.1))
    [view] = views_in(module, ("helium",))
    assert isinstance(view, Lookup) and view.variant == "helium"
    values = np.random.default_rng(0).integers(-128, 128, (1, elements)).astype(np.int8)
    [result] = compile_and_run(module, [values], features=("helium",))
    np.testing.assert_array_equal(result, view.table[values.astype(int) + 128])
    check_overlap(module, [values], is_tight=elements > 1, features=("helium",))


@pytest.mark.emulator
def test_helium_on_a_core(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    values = np.concatenate([LINE, LINE[:5]])[None]
    module = module_of([(values.shape, "int8")], lambda x: quantized(hard_swish(dequantized(x, 0.1)), 0.1))
    [view] = views_in(module, ("helium",))
    assert isinstance(view, Lookup) and view.variant == "helium"
    tinycc.compile(module, target="cortex-m55").export(tmp_path / "out")
    result = run(tmp_path / "out", "cortex-m55", [values[None]])
    np.testing.assert_array_equal(result.outputs[0].reshape(-1), view.table[values[0].astype(int) + 128])
