"""Layers, pooling, means and softmax of real numbers against TVM's VM."""

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.passes.layout_tools import random_inputs, run_on_vm
from tests.tools.kernel_runner import compile_and_run, dequantized, run_plan, views_in
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


def transposed(groups: int = 1, **attributes: object) -> Callable[..., relax.Expr]:
    return lambda x, weights: relax.op.nn.conv2d_transpose(
        x, weights, data_layout="NHWC", kernel_layout="IOHW", groups=groups, **attributes
    )


def scattered(
    x: np.ndarray, weights: np.ndarray, strides: Shape, padding: Shape, dilation: Shape, groups: int
) -> np.ndarray:
    """Each pixel of x [1, height, width, channels] adds to the outputs that it reaches."""
    _, height, width, channels = x.shape
    _, outputs, *kernel = weights.shape
    sizes = [
        (count - 1) * stride + (taps - 1) * step + 1
        for count, stride, taps, step in zip((height, width), strides, kernel, dilation, strict=True)
    ]
    full = np.zeros((*sizes, groups * outputs))
    for row, column, channel, down, right in np.ndindex(height, width, channels, *kernel):
        group = channel // (channels // groups)
        reached = full[row * strides[0] + down * dilation[0], column * strides[1] + right * dilation[1]]
        products = x[0, row, column, channel] * weights[channel, :, down, right]
        reached[group * outputs : (group + 1) * outputs] += products
    top, left, bottom, right = padding
    return full[np.newaxis, top : sizes[0] - bottom, left : sizes[1] - right]


@pytest.mark.parametrize(
    ("kernel", "strides", "padding", "dilation", "channels", "groups"),
    [
        ((1, 1), (1, 1), (0, 0, 0, 0), (1, 1), (3, 5), 1),
        ((2, 2), (2, 2), (0, 0, 0, 0), (1, 1), (3, 4), 1),
        ((3, 4), (2, 2), (1, 0, 1, 2), (1, 1), (2, 9), 1),
        ((2, 1), (3, 2), (1, 0, 0, 0), (1, 1), (1, 3), 1),
        ((3, 2), (2, 3), (2, 1, 0, 3), (2, 4), (4, 6), 2),
        ((4, 3), (1, 2), (3, 2, 1, 1), (1, 2), (6, 6), 3),
    ],
)
def test_transposed_convolution(
    kernel: Shape, strides: Shape, padding: Shape, dilation: Shape, channels: Shape, groups: int
) -> None:
    generator = np.random.default_rng(1)
    x = generator.normal(size=(1, 4, 5, channels[0])).astype(np.float32)
    weights = generator.normal(size=(channels[0], channels[1] // groups, *kernel)).astype(np.float32)
    bias = generator.normal(size=channels[1]).astype(np.float32)

    def body(image: relax.Expr) -> relax.Expr:
        product = transposed(groups, strides=strides, padding=padding, dilation=dilation)
        return relax.op.nn.relu(relax.op.add(product(image, relax.const(weights)), relax.const(bias)))

    module = real_module(body, x.shape)
    [view] = views_in(module)
    assert view.kind == "transpose_conv2d"
    expected = np.maximum(scattered(x, weights, strides, padding, dilation, groups) + bias, 0)
    assert_close(compile_and_run(module, [x]), [expected])


def bilinear(coordinates: str, size: Shape) -> Callable[[relax.Expr], relax.Expr]:
    return lambda x: relax.op.image.resize2d(
        x, relax.ShapeExpr(size), layout="NHWC", method="linear",
        coordinate_transformation_mode=coordinates, rounding_method="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("coordinates", "size"),
    [
        *itertools.product(("asymmetric", "half_pixel", "align_corners"), ((7, 9), (3, 2))),
        ("pytorch_half_pixel", (4, 10)),
        ("half_pixel", (1, 1)),
    ],
)
def test_bilinear_resize(coordinates: str, size: Shape) -> None:
    check_real(real_module(bilinear(coordinates, size), (1, 4, 5, 3)), "resize_bilinear")


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


GROWING: dict[str, Callable[[relax.Expr], relax.Expr]] = {
    "transposed": layer(transposed(strides=(2, 2), padding=(1, 0, 1, 1)), (5, 4, 3, 3), 4),
    "bilinear": bilinear("half_pixel", (18, 14)),
}


@pytest.mark.parametrize("name", GROWING)
def test_what_grows_an_image_goes_by_rows(name: str) -> None:
    """To the bit as on whole tensors."""
    first = layer(convolution(padding=[1, 1, 1, 1]), (3, 3, 2, 5), 5)

    def body(x: relax.Expr) -> relax.Expr:
        return relax.op.nn.max_pool2d(GROWING[name](first(x)), (3, 3), (2, 2), layout="NHWC")

    module = real_module(body, (1, 9, 7, 2))
    inputs, results = random_inputs(module), []
    for form in ("whole", "stream", "patch:2x2"):
        passes = default_passes("float", ScheduleOptions(form=form))
        plan = build_plan(tvm.transform.Sequential(passes)(module))
        results.append(run_plan(plan, [inputs], True)[0][0])
        if form == "stream":
            [stage] = [step.operator for step in plan.steps]
            assert isinstance(stage, Stage) and len(stage.members) == 3
    np.testing.assert_array_equal(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[0])


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
