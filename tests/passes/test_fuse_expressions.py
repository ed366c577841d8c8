"""Elementwise functions of real numbers become one operator, as long as no tensor is kept for longer."""

from collections.abc import Callable

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.passes.layout_tools import random_inputs, run_on_vm
from tests.tools.kernel_runner import compile_and_run, module_of, views_in
from tests.tools.real_layers import assert_close, check_real, real_module

SHAPE = (1, 3, 4, 5)


def number(value: float) -> relax.Expr:
    return relax.const(np.float32(value))


def emitted(value: relax.Expr) -> relax.Expr:
    return relax.BlockBuilder.current().emit(value)


def described(module: tvm.IRModule) -> list[str]:
    return [view.describe() for view in views_in(module)]


def hard_swish(x: relax.Expr) -> relax.Expr:
    gate = relax.op.clip(relax.op.add(x, number(3)), 0, 6)
    return relax.op.divide(relax.op.multiply(x, gate), number(6))


def floored_at_a_half(x: relax.Expr) -> relax.Expr:
    is_small = emitted(relax.op.less(x, number(-0.5)))
    is_mid = emitted(relax.op.logical_or(is_small, emitted(relax.op.equal(x, relax.op.abs(x)))))
    return relax.op.where(is_mid, relax.op.floor(x), relax.op.astype(is_small, "float32"))


FUNCTIONS: dict[str, Callable[[relax.Expr], relax.Expr]] = {
    "hard swish": hard_swish,
    "leaky relu": lambda x: relax.op.nn.leakyrelu(x, 0.2),
    "prelu": lambda x: relax.op.nn.prelu(x, relax.const(np.linspace(-1, 1, 5).astype(np.float32)), 3),
    "silu": relax.op.nn.silu,
    "tanh of a difference": lambda x: relax.op.tanh(relax.op.subtract(number(-1.5), x)),
    "least and largest": lambda x: relax.op.maximum(relax.op.minimum(x, number(0.5)), relax.op.negative(x)),
    "exp": lambda x: relax.op.exp(relax.op.abs(x)),
    "log": lambda x: relax.op.log(relax.op.add(relax.op.square(x), number(0.25))),
    "roots": lambda x: relax.op.multiply(relax.op.sqrt(relax.op.abs(x)), relax.op.rsqrt(relax.op.exp(x))),
    "gelu": relax.op.nn.gelu,
    "gelu by tanh": relax.op.nn.gelu_tanh,
    "softplus": lambda x: relax.op.nn.softplus(x, 1.5, 2.0),
    "round": lambda x: relax.op.subtract(relax.op.round(x), relax.op.ceil(relax.op.multiply(x, number(2)))),
    "signs": lambda x: relax.op.add(relax.op.sign(x), relax.op.trunc(x)),
    "where": floored_at_a_half,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_one_operator(name: str) -> None:
    check_real(real_module(FUNCTIONS[name], SHAPE), "expression")


BROADCASTS = [(1, 1, 1, 5), (5,), (1, 3, 4, 1), (1, 1, 4, 5), (1, 3, 1, 5), (1, 1, 1, 1)]


@settings(max_examples=6)
@given(st.sampled_from(BROADCASTS), st.booleans())
def test_operands_are_broadcast(shape: tuple[int, ...], is_constant: bool) -> None:
    if is_constant:
        value = relax.const(np.random.default_rng(1).normal(size=shape).astype(np.float32))
        check_real(real_module(lambda x: relax.op.multiply(value, x), SHAPE), "expression")
    else:
        check_real(real_module(relax.op.multiply, shape, SHAPE), "expression")


def masked(x: relax.Expr) -> relax.Expr:
    mask = relax.const(np.tri(4, 5, dtype=bool))
    return relax.op.where(mask, x, number(-np.inf))


def above(x: relax.Expr, y: relax.Expr) -> relax.Expr:
    return relax.op.logical_not(relax.op.less(x, y))


@pytest.mark.parametrize(("body", "shapes"), [(masked, (SHAPE,)), (above, (SHAPE, (5,)))])
def test_logical_tensors_are_read_and_written(
    body: Callable[..., relax.Expr], shapes: tuple[tuple[int, ...], ...]
) -> None:
    module = real_module(body, *shapes)
    assert [view.kind for view in views_in(module)] == ["expression"]
    inputs = random_inputs(module)
    np.testing.assert_array_equal(compile_and_run(module, inputs)[0], run_on_vm(module, inputs)[0])


def test_a_sum_is_fused_with_its_activation() -> None:
    module = real_module(lambda x, y: relax.op.nn.relu(relax.op.add(x, y)), SHAPE, SHAPE)
    assert described(module) == ["add, nn.relu"]


def test_two_readers_keep_a_value_apart() -> None:
    def body(x: relax.Expr, y: relax.Expr) -> relax.Expr:
        both = emitted(relax.op.add(x, y))
        pooled = relax.op.nn.max_pool2d(both, (1, 1), layout="NHWC")
        return relax.op.multiply(relax.op.sigmoid(both), pooled)

    assert sorted(described(real_module(body, SHAPE, SHAPE))) == ["1x1", "add", "sigmoid, multiply"]


def test_tensors_are_not_kept_to_be_added_later() -> None:
    """x and y would live until the convolution is done."""

    def body(x: relax.Expr, y: relax.Expr, z: relax.Expr) -> relax.Expr:
        first = emitted(relax.op.add(x, y))
        return relax.op.add(first, relax.op.nn.max_pool2d(z, (1, 1), layout="NHWC"))

    assert sorted(described(real_module(body, SHAPE, SHAPE, SHAPE))) == ["1x1", "add", "add"]


def test_integers_are_left_alone() -> None:
    module = module_of([((1, 4), "int32")] * 2, relax.op.add)
    assert not views_in(module)


def test_equal_expressions_share_a_kernel() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        pooled = relax.op.nn.max_pool2d(relax.op.sigmoid(x), (1, 2), layout="NHWC")
        return relax.op.sigmoid(pooled)

    module = real_module(body, SHAPE)
    functions = {view.call().function for view in views_in(module) if view.kind == "expression"}  # type: ignore[union-attr]
    assert len(functions) == 1
    inputs = random_inputs(module)
    assert_close(compile_and_run(module, inputs), run_on_vm(module, inputs))
