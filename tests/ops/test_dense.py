"""Dense layers against the integer reference."""

import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.tools.kernel_runner import Features
from tests.tools.layers import (
    FEATURES,
    ZERO_POINTS,
    Shape,
    Weights,
    check_distance,
    check_reference,
    layer_module,
)


def dense_module(shape: Shape, outputs: int, *, per_channel: bool = True, **more: object) -> tvm.IRModule:
    weights = Weights((shape[-1], outputs), outputs, 1 if per_channel else None)
    return layer_module(relax.op.matmul, shape, weights, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("features", FEATURES)
@settings(max_examples=10)
@given(
    st.sampled_from([(1, 1), (1, 7), (3, 16), (1, 2, 3, 5)]),
    st.sampled_from([1, 3, 8]),
    st.booleans(),
    ZERO_POINTS,
    st.integers(0, 99),
)
def test_equals_the_reference(
    features: Features, shape: Shape, outputs: int, per_channel: bool, zero_point: int, seed: int
) -> None:
    module = dense_module(shape, outputs, per_channel=per_channel, zero_points=(zero_point, 4), seed=seed)
    check_reference(module, "dense", seed, features=features)


def test_int16_activations() -> None:
    check_reference(dense_module((1, 9), 4, dtype="int16"), "dense")


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize(("shape", "outputs"), [((1, 8), 3), ((1, 3), 8), ((4, 5), 3), ((4, 3), 5)])
def test_overlap_distance(shape: Shape, outputs: int, features: Features) -> None:
    check_distance(dense_module(shape, outputs), is_tight=False, features=features)
