"""Layers, pooling, means and softmax of real numbers against TVM's VM."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.passes.layout_tools import random_inputs, run_on_vm
from tests.tools.kernel_runner import dequantized, run_plan, views_in
from tests.tools.layers import windows
from tests.tools.real_layers import (
    Shape,
    assert_close,
    check_real,
    check_real_distance,
    layer,
    real_module,
)
from tinycc.ops.stage import Stage
from tinycc.passes.pipeline import default_passes
from tinycc.plan import build_plan
from tinycc.schedule.options import ScheduleOptions

Attributes = dict[str, Sequence[int]]


def convolution(groups: int = 1, layout: str = "HWIO", **attributes: object) -> Callable[..., relax.Expr]:
    return lambda x, weights: relax.op.nn.conv2d(
        x, weights, data_layout="NHWC", kernel_layout=layout, groups=groups, **attributes
    )


@settings(max_examples=6)
@given(windows(), st.sampled_from([(1, 1, 1), (3, 5, 1), (4, 8, 2), (6, 3, 3)]), st.integers(0, 99))
def test_convolution(
    window: tuple[Shape, Shape, Attributes], channels: tuple[int, int, int], seed: int
) -> None:
    image, kernel, attributes = window
    inputs, outputs, groups = channels
    body = layer(
        convolution(groups, **attributes), (*kernel, inputs // groups, outputs), outputs,
        activation=relax.op.nn.relu, has_bias=seed % 2 == 0, seed=seed,
    )  # fmt: skip
    check_real(real_module(body, (1, *image, inputs)), "conv2d", seed)


@settings(max_examples=5)
@given(windows(), st.sampled_from([(2, 1), (5, 1), (3, 2)]), st.integers(0, 99))
def test_depthwise_convolution(
    window: tuple[Shape, Shape, Attributes], channels: tuple[int, int], seed: int
) -> None:
    image, kernel, attributes = window
    inputs, multiplier = channels
    body = layer(
        convolution(inputs, "HWOI", **attributes), (*kernel, inputs * multiplier, 1), inputs * multiplier,
        activation=lambda x: relax.op.clip(x, 0, 6), seed=seed,
    )  # fmt: skip
    check_real(real_module(body, (1, *image, inputs)), "depthwise_conv2d", seed)


@pytest.mark.parametrize("outputs", [1, 4, 10])
def test_dense(outputs: int) -> None:
    check_real(real_module(layer(relax.op.matmul, (7, outputs), outputs), (3, 7)), "dense")


def test_weights_may_be_stored_as_integers() -> None:
    generator = np.random.default_rng(3)
    stored = generator.integers(-127, 128, (3, 3, 2, 5)).astype(np.int8)
    scales = generator.uniform(0.01, 0.02, 5).astype(np.float32)
    module = real_module(lambda x: convolution()(x, dequantized(stored, scales, axis=3)), (1, 5, 6, 2))
    check_real(module, "conv2d")


def test_what_is_added_to_each_element_is_no_bias() -> None:
    weights = relax.const(np.ones((1, 1, 2, 3), np.float32))
    added = relax.const(np.arange(27, dtype=np.float32).reshape(1, 3, 3, 3))
    module = real_module(lambda x: relax.op.add(convolution()(x, weights), added), (1, 3, 3, 2))
    assert [view.kind for view in views_in(module)] == ["conv2d", "expression"]


@settings(max_examples=4)
@given(windows(), st.sampled_from([relax.op.nn.max_pool2d, relax.op.nn.avg_pool2d]), st.integers(0, 99))
def test_pooling(window: tuple[Shape, Shape, Attributes], pool: Callable[..., relax.Expr], seed: int) -> None:
    image, kernel, attributes = window
    padding = [min(size, kernel[side % 2] - 1) for side, size in enumerate(attributes["padding"])]
    image = tuple(max(size, taps * 2) for size, taps in zip(image, kernel, strict=True))
    attributes = {"strides": attributes["strides"], "padding": padding}
    options = {"count_include_pad": False} if pool is relax.op.nn.avg_pool2d else {}
    module = real_module(lambda x: pool(x, kernel, layout="NHWC", **attributes, **options), (1, *image, 3))
    check_real(module, "max_pool2d" if pool is relax.op.nn.max_pool2d else "average_pool2d", seed)


@pytest.mark.parametrize("axes", [[1, 2], [3], [1, 3]])
@pytest.mark.parametrize("reduce", [relax.op.mean, relax.op.sum])
def test_reduction(axes: list[int], reduce: Callable[..., relax.Expr]) -> None:
    check_real(real_module(lambda x: relax.op.nn.relu(reduce(x, axes)), (1, 4, 5, 6)), "reduce")


def test_softmax_of_large_numbers() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        return relax.op.nn.softmax(relax.op.multiply(x, relax.const(50.0)), -1)

    module = real_module(body, (3, 9))
    assert [view.kind for view in views_in(module)] == ["expression", "softmax"]
    inputs = random_inputs(module)
    plan = build_plan(tvm.transform.Sequential(default_passes("float"))(module))
    assert_close(run_plan(plan, [inputs], True)[0], run_on_vm(module, inputs))


MOVING: dict[str, tuple[str, Callable[[relax.Expr], relax.Expr]]] = {
    "constant padding": ("pad", lambda x: relax.op.nn.pad(x, [0, 0, 1, 0, 0, 2, 1, 0], "constant", -1.5)),
    "reflection": ("pad", lambda x: relax.op.nn.pad(x, [0, 0, 1, 2, 2, 1, 0, 0], "reflect")),
    "slice": ("strided_copy", lambda x: relax.op.strided_slice(x, [1, 2], [1, 0], [4, 5], [2, 1])),
    "gather": ("gather", lambda x: relax.op.take(x, relax.const([2, 0, 1, 1]), axis=2, mode="clip")),
    "concatenation": ("concatenate", lambda x: relax.op.concat([x, x], 3)),
    "nearest": (
        "resize_nearest",
        lambda x: relax.op.image.resize2d(
            x, relax.ShapeExpr([8, 10]), layout="NHWC", method="nearest_neighbor",
            coordinate_transformation_mode="asymmetric", rounding_method="floor",
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MOVING)
def test_moving(name: str) -> None:
    kind, body = MOVING[name]
    check_real(real_module(body, (1, 4, 5, 3)), kind)


@pytest.mark.parametrize(
    ("image", "kernel", "channels", "attributes"),
    [
        ((4, 5), (1, 1), (6, 3), {}),
        ((4, 5), (1, 1), (3, 6), {}),
        ((6, 5), (3, 3), (3, 4), {"padding": [1, 1, 1, 1]}),
        ((7, 7), (3, 3), (2, 5), {"strides": (2, 2), "padding": [0, 0, 1, 1]}),
    ],
)
def test_a_convolution_writes_behind_its_reads(
    image: Shape, kernel: Shape, channels: tuple[int, int], attributes: Attributes
) -> None:
    body = layer(convolution(**attributes), (*kernel, *channels), channels[1])
    check_real_distance(real_module(body, (1, *image, channels[0])))


@pytest.mark.parametrize("multiplier", [1, 2])
@pytest.mark.parametrize("width", [3, 11])
def test_a_depthwise_convolution_writes_behind_its_reads(width: int, multiplier: int) -> None:
    body = layer(convolution(3, "HWOI", padding=[1, 1, 1, 1]), (3, 3, 3 * multiplier, 1), 3 * multiplier)
    check_real_distance(real_module(body, (1, 6, width, 3)))


def test_pooling_and_softmax_are_as_close_as_can_be() -> None:
    pool = real_module(lambda x: relax.op.nn.max_pool2d(x, (2, 2), (2, 2), layout="NHWC"), (1, 4, 6, 3))
    check_real_distance(pool, is_tight=True)
    check_real_distance(real_module(lambda x: relax.op.nn.softmax(x, -1), (3, 7)), is_tight=True)


ENDS: dict[str, Callable[[relax.Expr], relax.Expr]] = {
    "average": lambda x: relax.op.nn.avg_pool2d(x, (9, 7), layout="NHWC"),
    "mean": lambda x: relax.op.mean(x, [1, 2]),
    "dense": lambda x: layer(relax.op.matmul, (9 * 7 * 5, 6), 6)(relax.op.reshape(x, (1, 9 * 7 * 5))),
    "convolution": layer(convolution(strides=(2, 2)), (3, 3, 5, 2), 2),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_stage_goes_by_rows(end: str) -> None:
    first = layer(convolution(padding=[1, 1, 1, 1]), (3, 3, 2, 5), 5, activation=relax.op.nn.relu)
    module = real_module(lambda x: ENDS[end](relax.op.sigmoid(first(x))), (1, 9, 7, 2))
    inputs = random_inputs(module)
    passes = default_passes("float", ScheduleOptions(form="stream"))
    plan = build_plan(tvm.transform.Sequential(passes)(module))
    [stage] = [step.operator for step in plan.steps if isinstance(step.operator, Stage)]
    assert len(stage.members) == 3
    assert_close(run_plan(plan, [inputs], True)[0], run_on_vm(module, inputs))


@pytest.mark.parametrize("shapes", [((1, 5, 6), (1, 6, 7)), ((3, 4, 6), (3, 6, 5)), ((2, 3, 4), (1, 4, 2))])
def test_product_of_two_tensors(shapes: tuple[Shape, Shape]) -> None:
    check_real(real_module(lambda a, b: relax.op.nn.relu(relax.op.matmul(a, b)), *shapes), "matmul")


@pytest.mark.parametrize("offset", [0.0, 100.0])
def test_layer_norm(offset: float) -> None:
    scale, shift = (relax.const(np.linspace(low, 2, 9).astype(np.float32)) for low in (-1, 0))

    def body(x: relax.Expr) -> relax.Expr:
        return relax.op.nn.layer_norm(relax.op.add(x, relax.const(offset)), scale, shift, -1)

    module = real_module(body, (4, 9))
    assert views_in(module)[-1].kind == "layer_norm"
    inputs = random_inputs(module)
    plan = build_plan(tvm.transform.Sequential(default_passes("float"))(module))
    [[result]] = run_plan(plan, [inputs], True)
    [expected] = run_on_vm(module, inputs)
    np.testing.assert_allclose(result, expected, atol=2e-6 * (1 + offset))
