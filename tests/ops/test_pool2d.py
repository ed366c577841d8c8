"""Average and maximum pooling against the integer reference."""

from collections.abc import Sequence

import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.tools.kernel_runner import dequantized, module_of, quantized
from tests.tools.layers import ZERO_POINTS, Shape, check_distance, check_reference, windows

Attributes = dict[str, Sequence[int]]


def average_module(
    image: Shape,
    kernel: Shape,
    attributes: Attributes,
    scales: tuple[float, float],
    zero_points: tuple[int, int],
    channels: int = 3,
) -> tvm.IRModule:
    def body(x: relax.Expr) -> relax.Expr:
        real = dequantized(x, scales[0], zero_points[0])
        mean = relax.op.nn.avg_pool2d(real, kernel, layout="NHWC", count_include_pad=False, **attributes)
        return quantized(mean, scales[1], zero_points[1])

    return module_of([((1, *image, channels), "int8")], body)


def maximum_module(
    image: Shape, kernel: Shape, attributes: Attributes, dtype: str = "int8", channels: int = 3
) -> tvm.IRModule:
    return module_of(
        [((1, *image, channels), dtype)],
        lambda x: relax.op.nn.max_pool2d(x, kernel, layout="NHWC", **attributes),
    )


def inside(window: tuple[Shape, Shape, Attributes]) -> tuple[Shape, Shape, Attributes]:
    """The window with less padding than it is large and no dilation: each has a tap in the input."""
    image, kernel, attributes = window
    padding = [
        min(size, kernel[axis % 2] - 1, image[axis % 2] - 1)
        for axis, size in enumerate(attributes["padding"])
    ]
    larger = tuple(max(size, taps) for size, taps in zip(image, kernel, strict=True))
    return larger, kernel, {"strides": attributes["strides"], "padding": padding}


@settings(max_examples=10)
@given(windows(), st.sampled_from([(0.05, 0.05), (0.05, 0.08)]), ZERO_POINTS, st.integers(0, 99))
def test_average_equals_the_reference(
    window: tuple[Shape, Shape, Attributes], scales: tuple[float, float], zero_point: int, seed: int
) -> None:
    module = average_module(*inside(window), scales, (zero_point, zero_point))
    check_reference(module, "average_pool2d", seed)


@settings(max_examples=10)
@given(windows(), st.sampled_from(["int8", "int16"]), st.integers(0, 99))
def test_maximum_equals_the_reference(window: tuple[Shape, Shape, Attributes], dtype: str, seed: int) -> None:
    check_reference(maximum_module(*inside(window), dtype), "max_pool2d", seed)


@pytest.mark.parametrize(
    ("image", "kernel", "attributes"),
    [
        ((6, 5), (2, 2), {"strides": (2, 2)}),
        ((6, 5), (3, 3), {"strides": (1, 1), "padding": [1, 1, 1, 1]}),
        ((5, 7), (3, 2), {"strides": (2, 1)}),
    ],
)
def test_overlap_distance(image: Shape, kernel: Shape, attributes: Attributes) -> None:
    check_distance(maximum_module(image, kernel, attributes))
    check_distance(average_module(image, kernel, attributes, (0.05, 0.05), (3, 3)))
