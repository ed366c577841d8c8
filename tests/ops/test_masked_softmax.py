"""Softmax over what a constant mask leaves: the integer reference's softmax of just these elements."""

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.reference.softmax import softmax_int8
from tests.tools.kernel_runner import (
    check_overlap,
    compile_and_run,
    dequantized,
    module_of,
    quantized,
    views_in,
)
from tinycc.errors import UnsupportedError

SCALE = 0.05
CAUSAL = np.tril(np.ones((5, 5), bool))


def masked(
    shape: tuple[int, ...], mask: np.ndarray, output: tuple[float, int] = (1 / 256, -128)
) -> tvm.IRModule:
    def body(x: relax.Expr) -> relax.Expr:
        scores = relax.op.add(dequantized(x, SCALE, 3), relax.const(mask.astype(np.float32)))
        return quantized(relax.op.nn.softmax(scores), *output)

    return module_of([(shape, "int8")], body)


def expected(values: np.ndarray, is_open: np.ndarray) -> np.ndarray:
    result = np.full(values.shape, -128, np.int64)
    for place in np.ndindex(values.shape[:-1]):
        chosen = np.broadcast_to(is_open, values.shape)[place]
        result[place][chosen] = softmax_int8(values[place][chosen][None], float(np.float32(SCALE)))[0]
    return result


@pytest.mark.parametrize("closed", [-np.inf, -1e9, -float(np.finfo(np.float32).max)])
@pytest.mark.parametrize(
    ("shape", "is_open"),
    [
        ((1, 2, 5, 5), CAUSAL),
        ((2, 1, 5, 5), CAUSAL[None, None]),
        ((1, 3, 40), np.arange(40) < 33),
        ((2, 2, 3), np.array([[[1, 0, 1]], [[0, 1, 1]]], bool)),
        ((1, 4, 70), np.random.default_rng(0).random((4, 70)) < 0.5),
    ],
)
def test_only_what_the_mask_leaves_counts(shape: tuple[int, ...], is_open: np.ndarray, closed: float) -> None:
    module = masked(shape, np.where(is_open, 0.0, closed))
    assert [view.kind for view in views_in(module)] == ["masked_softmax"]
    values = np.random.default_rng(1).integers(-128, 128, shape).astype(np.int8)
    [result] = compile_and_run(module, [values])
    np.testing.assert_array_equal(result, expected(values, is_open))


def test_another_scale_of_the_output() -> None:
    values = np.random.default_rng(2).integers(-128, 128, (1, 5, 5)).astype(np.int8)
    module = masked((1, 5, 5), np.where(CAUSAL, 0.0, -np.inf), (1 / 200, -100))
    [result] = compile_and_run(module, [values])
    real = np.exp(SCALE * (values.astype(np.float64) - 3)) * CAUSAL
    right = 200 * real / real.sum(-1, keepdims=True) - 100
    assert np.abs(result - right).max() <= 0.51


def test_in_place() -> None:
    values = np.random.default_rng(3).integers(-128, 128, (1, 5, 5)).astype(np.int8)
    check_overlap(masked((1, 5, 5), np.where(CAUSAL, 0.0, -np.inf)), [values])


def test_a_bias_is_no_mask() -> None:
    assert "masked_softmax" not in [
        view.kind for view in views_in(masked((1, 5, 5), np.where(CAUSAL, 0.0, -9.0)))
    ]


def test_a_row_that_is_masked_throughout_is_refused() -> None:
    closed = np.where(CAUSAL, 0.0, -np.inf)
    closed[2] = -np.inf
    with pytest.raises(UnsupportedError, match="leaves no element"):
        views_in(masked((1, 5, 5), closed))
