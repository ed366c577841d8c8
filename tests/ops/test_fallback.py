"""Operators without a kernel: TVM's loops, printed as C, give what TVM's VM gives."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import relax

import tinycc
from tests.passes.layout_tools import run_on_vm
from tests.tools.kernel_runner import compile_and_run, dequantized, module_of, quantized, run_cases
from tinycc.errors import UnsupportedError
from tinycc.ops.base import Operator
from tinycc.ops.fallback import Fallback
from tinycc.passes.pipeline import default_passes
from tinycc.plan import build_plan
from tinycc.run import run

GENERATOR = np.random.default_rng(7)


def random_array(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    if dtype == "float32":
        return GENERATOR.normal(size=shape).astype(dtype)
    return GENERATOR.integers(-128, 128, shape).astype(dtype)


def constant(value: object, dtype: str) -> relax.Expr:
    return relax.const(np.array(value, dtype), dtype)


def halves_swapped(x: relax.Expr) -> relax.Expr:
    halves = relax.BlockBuilder.current().emit(relax.op.split(x, 2, 1))
    return relax.op.concat([relax.TupleGetItem(halves, 1), relax.TupleGetItem(halves, 0)], 1)


FLOATS: dict[str, Callable[..., relax.Expr]] = {
    "exp": relax.op.exp,
    "abs": relax.op.abs,
    "round": relax.op.round,
    "gelu": relax.op.nn.gelu,
    "power": lambda x: relax.op.power(relax.op.abs(x), constant(2.7182817, "float32")),
    "log-softmax over rows": lambda x: relax.op.nn.log_softmax(x, axis=1),
    "cumsum": lambda x: relax.op.cumsum(x, 1),
    "layer_norm": lambda x: relax.op.nn.layer_norm(
        x, constant([1.1, 0.3, -2], "float32"), constant([0, 0.1, 7], "float32"), -1
    ),
    "matmul": lambda x: relax.op.matmul(x, constant(np.linspace(-1, 1, 21).reshape(3, 7), "float32")),
    "infinite constant": lambda x: relax.op.exp(relax.op.add(x, constant([0, -np.inf, 1], "float32"))),
    "split and concat": halves_swapped,
    "broadcast": lambda x: relax.op.broadcast_to(x, (3, 20, 3)),
    "argmax": lambda x: relax.op.argmax(x, axis=1),
}


@pytest.mark.parametrize("name", FLOATS)
def test_float_operators_equal_tvm(name: str) -> None:
    module = module_of([((1, 20, 3), "float32")], FLOATS[name])
    values = [random_array((1, 20, 3), "float32")]
    [expected] = run_on_vm(module, values)
    [result] = compile_and_run(module, values)
    np.testing.assert_allclose(result, expected, rtol=2e-6, atol=1e-7)


INTEGERS: dict[str, Callable[..., relax.Expr]] = {
    "flip": lambda x, y: relax.op.flip(x, 1),
    "take": lambda x, y: relax.op.take(x, constant([3, 1, 1], "int32"), axis=1, mode="clip"),
    "where": lambda x, y: relax.op.where(relax.op.greater(x, y), x, y),
    "less": lambda x, y: relax.op.less(x, y),
    "add with wrap-around": relax.op.add,
    "floor_mod": lambda x, y: relax.op.floor_mod(x, relax.op.bitwise_or(y, constant(1, "int8"))),
    "one_hot": lambda x, y: relax.op.one_hot(
        relax.op.astype(x, "int32"), relax.prim_value(1), relax.prim_value(0), 5, -1
    ),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_integer_operators_equal_tvm(name: str) -> None:
    module = module_of([((1, 6, 4), "int8")] * 2, INTEGERS[name])
    values = [random_array((1, 6, 4), "int8") for _ in range(2)]
    np.testing.assert_array_equal(compile_and_run(module, values)[0], run_on_vm(module, values)[0])


def float_tail_module() -> tvm.IRModule:
    """int8 convolution -> dequantize -> float head; the convolution's result is an output, too."""
    weights = random_array((3, 3, 3, 8), "int8")

    def body(x: relax.Expr) -> list[relax.Expr]:
        convolved = relax.op.nn.conv2d(
            dequantized(x, 0.05, 3),
            dequantized(weights, 0.01),
            padding=1,
            data_layout="NHWC",
            kernel_layout="HWIO",
            out_layout="NHWC",
        )
        stored = relax.BlockBuilder.current().emit(quantized(convolved, 0.1, -4))
        grown = relax.op.exp(relax.op.multiply(dequantized(stored, 0.1, -4), constant(0.3, "float32")))
        real = relax.op.power(grown, constant(0.5, "float32"))
        return [stored, relax.op.nn.softmax(relax.op.mean(real, axis=[1, 2]), axis=-1)]

    return module_of([((1, 8, 8, 3), "int8")], body)


def float_tail(stored: np.ndarray) -> np.ndarray:
    """What the float head makes of the convolution's result, [N, 8, 8, 8] -> [N, 8]."""
    real = np.exp(0.5 * 0.3 * 0.1 * (stored.astype(np.float64) + 4)).mean(axis=(-3, -2))
    powers = np.exp(real - real.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize("core", ["host", pytest.param("cortex-m4", marks=pytest.mark.emulator)])
def test_float_head_of_an_integer_model(
    core: str, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    if core != "host":
        require_tool("arm-none-eabi-gcc")
        require_tool("qemu-system-arm")
    compiled = tinycc.compile(float_tail_module())
    compiled.export(tmp_path / "out")
    images = random_array((3, 1, 8, 8, 3), "int8")
    stored, real = run(tmp_path / "out", core, [images]).outputs
    np.testing.assert_allclose(real, float_tail(stored), rtol=1e-5)
    reasons = [fallback["reason"] for fallback in compiled.report["fallbacks"]]
    assert "power: no kernel for float32" in reasons
    # Element by element in place: the floats of the convolution are there once.
    assert compiled.report["arena_bytes"] < 512 * (1 + 4) + 192


def plan_operators(module: tvm.IRModule) -> list[Operator]:
    plan = build_plan(tvm.transform.Sequential(default_passes("float"))(module))
    return [step.operator for step in plan.steps]


def test_what_a_kernel_refuses_is_computed_with_the_reason_told() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        return quantized(relax.op.nn.softmax(dequantized(x, 0.1, 3)), 2.0**-8, -128)

    shape = (1, 2, 4100)
    module = module_of([(shape, "int8")], body)
    [operator] = plan_operators(module)
    assert isinstance(operator, Fallback) and "at most 4096 can be" in operator.describe()
    values = [random_array(shape, "int8")]
    result, expected = compile_and_run(module, values)[0], run_on_vm(module, values)[0]
    assert np.abs(result.astype(int) - expected).max() <= 1


def test_only_operators_element_by_element_run_in_place() -> None:
    shape = ((1, 6, 4), "float32")
    [operator] = plan_operators(module_of([shape], relax.op.exp))
    assert operator.overlap_distance(0) == 0
    [operator] = plan_operators(module_of([shape], lambda x: relax.op.flip(x, 1)))
    assert operator.overlap_distance(0) is None
    [operator] = plan_operators(module_of([shape, shape], relax.op.greater))
    assert operator.overlap_distance(0) is None


def test_equal_computations_share_one_function() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        return relax.op.cumsum(relax.op.flip(relax.op.cumsum(x, 1), 1), 1)

    compiled = tinycc.compile(module_of([((1, 6, 4), "float32")], body))
    assert len(compiled.code.calls) == 3 and len(compiled.code.instances) == 2


def test_nothing_is_kept_from_one_inference_to_the_next() -> None:
    module = module_of([((1, 40, 3), "float32")], lambda x: relax.op.nn.log_softmax(x, axis=1))
    cases = [[random_array((1, 40, 3), "float32")] for _ in range(3)]
    for [result], case in zip(run_cases(module, cases), cases, strict=True):
        np.testing.assert_allclose(result, run_on_vm(module, case)[0], rtol=1e-6)


def test_what_needs_the_runtime_of_tvm_is_an_error() -> None:
    module = module_of([((1, 20), "float32")], relax.op.sort)
    with pytest.raises(UnsupportedError, match=r"^sort with the result .*: TVM calls its runtime for it"):
        plan_operators(module)


def test_types_that_cannot_be_stored_are_an_error() -> None:
    module = module_of([((1, 20), "float32")], lambda x: relax.op.astype(x, "float16"))
    with pytest.raises(UnsupportedError, match=r"^astype .*float16.* cannot be stored"):
        plan_operators(module)
