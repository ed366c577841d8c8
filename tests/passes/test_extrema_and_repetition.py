"""Extrema, repetition, resizing and softmax over any axis have kernels that give what the VM gives."""

import numpy as np
from tvm import relax

from tests.passes.layout_tools import random_inputs, run_on_vm
from tests.tools.against_vm import kinds_in, steps_from_vm
from tests.tools.kernel_runner import compile_and_run, dequantized, module_of, quantized

SHAPE = (1, 4, 5, 3)
NEAREST = [
    (coordinates, rounding)
    for coordinates in ("asymmetric", "half_pixel", "align_corners")
    for rounding in ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")
]


def _extrema_and_repetition(x: relax.Expr) -> list[relax.Expr]:
    axes = ([1, 2], [3], [1], [2, 3], [1, 3])
    return [
        *(relax.op.max(x, axis, keepdims=True) for axis in axes),
        *(relax.op.min(x, axis) for axis in axes),
        relax.op.tile(x, [1, 2, 1, 2]),
        relax.op.repeat(x, 2, 2),
        relax.op.flip(x, 3),
        relax.op.broadcast_to(relax.op.max(x, [3], keepdims=True), SHAPE),
        *(relax.op.take(x, relax.const([2, 0, 2]), axis, mode="clip") for axis in (1, 2, 3)),
    ]


def test_extrema_and_repetition_are_exact() -> None:
    module = module_of([(SHAPE, "int8")], _extrema_and_repetition)
    assert set(kinds_in(module)) <= {"max_pool2d", "lookup", "gather", "pad"}
    assert max(steps_from_vm(module)) == 0


def test_extrema_of_real_numbers_are_exact() -> None:
    def body(x: relax.Expr) -> list[relax.Expr]:
        axes = ([1, 2], [3], [1, 3], None)
        return [reduce(x, axis) for axis in axes for reduce in (relax.op.max, relax.op.min)]

    module = module_of([(SHAPE, "float32")], body)
    assert set(kinds_in(module)) <= {"max_pool2d", "expression"}
    inputs = random_inputs(module)
    for result, wanted in zip(compile_and_run(module, inputs), run_on_vm(module, inputs), strict=True):
        np.testing.assert_array_equal(result.reshape(wanted.shape), wanted)


def _nearest(x: relax.Expr) -> list[relax.Expr]:
    return [
        relax.op.image.resize2d(
            x, relax.ShapeExpr((7, 9)), layout="NHWC", method="nearest_neighbor",
            coordinate_transformation_mode=coordinates, rounding_method=rounding,
        )
        for coordinates, rounding in NEAREST
    ]  # fmt: skip


def test_every_nearest_neighbour_is_exact() -> None:
    module = module_of([(SHAPE, "int8")], _nearest)
    assert set(kinds_in(module)) <= {"resize_nearest", "gather"}
    assert max(steps_from_vm(module)) == 0


def _rescaled(x: relax.Expr) -> list[relax.Expr]:
    real = dequantized(x, 0.05, 3)
    linear = [
        relax.op.image.resize2d(
            real, relax.ShapeExpr((7, 9)), layout="NHWC", method="linear",
            coordinate_transformation_mode=coordinates, rounding_method="",
        )
        for coordinates in ("asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel")
    ]  # fmt: skip
    softmax = [relax.op.nn.softmax(real, axis) for axis in (1, 2)]
    return [
        *(quantized(resized, 0.04, -7) for resized in linear),
        # Flat, so that the edge cannot take over the transposes.
        *(relax.op.reshape(quantized(result, 1 / 256, -128), (60,)) for result in softmax),
    ]


def test_linear_resizing_and_softmax_are_one_step_away() -> None:
    module = module_of([(SHAPE, "int8")], _rescaled)
    assert set(kinds_in(module)) == {"resize_bilinear", "strided_copy", "softmax"}
    assert max(steps_from_vm(module)) <= 1
