"""Operators on real numbers as modules in the normal form, and the checks that they are put to."""

from collections.abc import Callable, Sequence

import numpy as np
import tvm
from tvm import relax

from tests.passes.layout_tools import random_inputs, run_on_vm
from tests.tools.kernel_runner import check_overlap, compile_and_run, module_of, views_in
from tinycc.ops.base import Operator

Shape = tuple[int, ...]
# Largest error, to the largest result: sums are taken in another order than TVM's.
TOLERANCE = 2e-6


def real_module(body: Callable[..., relax.Expr], *shapes: Shape) -> tvm.IRModule:
    """A module of float32 tensors."""
    return module_of([(shape, "float32") for shape in shapes], body)


def layer(
    product: Callable[[relax.Expr, relax.Expr], relax.Expr],
    weights: Shape,
    channels: int,
    *,
    activation: Callable[[relax.Expr], relax.Expr] | None = None,
    has_bias: bool = True,
    seed: int = 0,
) -> Callable[[relax.Expr], relax.Expr]:
    """activation(product(x, weights) + bias), of random constants."""
    generator = np.random.default_rng(seed)
    values = relax.const(generator.normal(size=weights).astype(np.float32))
    bias = relax.const(generator.normal(size=channels).astype(np.float32))

    def body(x: relax.Expr) -> relax.Expr:
        value = product(x, values)
        value = relax.op.add(value, bias) if has_bias else value
        return value if activation is None else activation(value)

    return body


def assert_close(results: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
    """Assert that no error is more than TOLERANCE of the largest number."""
    for result, wanted in zip(results, expected, strict=True):
        assert np.isfinite(result).all()
        assert np.abs(result - wanted).max() <= TOLERANCE * max(np.abs(wanted).max(), 1.0)


def check_real(module: tvm.IRModule, kind: str, seed: int = 0) -> Operator:
    """Assert that a module is one operator of this kind and computes what TVM's VM does."""
    [view] = views_in(module)
    assert view.kind == kind
    inputs = random_inputs(module, seed)
    assert_close(compile_and_run(module, inputs), run_on_vm(module, inputs))
    return view


def check_real_distance(module: tvm.IRModule, *, is_tight: bool = False) -> None:
    """`check_overlap` on random values."""
    check_overlap(module, random_inputs(module), is_tight=is_tight)
