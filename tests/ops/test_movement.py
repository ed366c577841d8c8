"""Operators that move elements: transpose, slice, concatenate, resize, arg max. Against numpy and the
integer reference."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.reference import movement
from tests.tools.cut_stages import CutStages
from tests.tools.kernel_runner import (
    compile_and_run,
    dequantized,
    module_of,
    quantized,
    run_plan,
    views_in,
)
from tests.tools.layers import Shape, random_inputs
from tinycc.errors import UnsupportedError
from tinycc.ops.stage import Grid
from tinycc.passes.pipeline import default_passes
from tinycc.plan import build_plan


def check(
    kind: str, shapes: Sequence[Shape], body: Callable[..., relax.Expr], wanted: Callable[..., np.ndarray],
    dtype: str = "int8", seed: int = 0,
) -> tvm.IRModule:  # fmt: skip
    module = module_of([(shape, dtype) for shape in shapes], body)
    assert [view.kind for view in views_in(module)] == [kind]
    inputs = random_inputs([(shape, dtype) for shape in shapes], seed)
    [result] = compile_and_run(module, inputs)
    np.testing.assert_array_equal(result, wanted(*inputs))
    return module


@settings(max_examples=8)
@given(st.permutations([0, 1, 2, 3]), st.sampled_from(["int8", "int16"]))
def test_transpose(axes: list[int], dtype: str) -> None:
    if axes == [0, 1, 2, 3]:
        return

    def body(x: relax.Expr) -> relax.Expr:
        # Not at an edge, where a transpose costs nothing.
        image = relax.op.reshape(x, (2, 3, 4, 5))
        return relax.op.reshape(relax.op.permute_dims(image, axes), (120,))

    module = module_of([((120,), dtype)], body)
    [values] = random_inputs([((120,), dtype)], 0)
    [result] = compile_and_run(module, [values])
    np.testing.assert_array_equal(result, values.reshape(2, 3, 4, 5).transpose(axes).reshape(-1))


@pytest.mark.parametrize(
    ("axis", "cut"), [(1, slice(1, 3)), (2, slice(0, 4, 2)), (3, slice(1, 5, 3)), (1, slice(2, None, -1))]
)
def test_slice(axis: int, cut: slice) -> None:
    begin, end, stride = cut.indices(5)
    index = (slice(None),) * axis + (cut,)
    check(
        "strided_copy", [(1, 5, 5, 5)],
        lambda x: relax.op.strided_slice(x, [axis], [begin], [end if end >= 0 else -6], [stride]),
        lambda x: x[index],
    )  # fmt: skip


def check_by_rows(shape: Shape, dtype: str, copied: Callable[[relax.Expr], relax.Expr],
                  wanted: Callable[[np.ndarray], np.ndarray]) -> None:  # fmt: skip
    """A strided copy between two other members of a stage, whole and cut into strips of columns."""

    def body(x: relax.Expr) -> relax.Expr:
        return relax.op.nn.max_pool2d(copied(relax.op.concat([x, x], 3)), (1, 1), layout="NHWC")

    module = module_of([(shape, dtype)], body)
    [values] = random_inputs([(shape, dtype)], 0)
    expected = wanted(np.concatenate([values, values], 3))
    passes = default_passes("float")[:-1]
    for grid in (Grid(), Grid(strips=2)):
        plan = build_plan(tvm.transform.Sequential([*passes, CutStages(grid)])(module))
        kinds = [member.operator.kind for step in plan.steps for member in step.members]
        assert kinds == ["concatenate", "strided_copy", "max_pool2d"] or not grid.is_whole
        [[result]] = run_plan(plan, [[values]], True)
        np.testing.assert_array_equal(result, expected)


RANGES = st.tuples(st.integers(0, 2), st.integers(1, 2))


@settings(max_examples=5)
@given(st.tuples(RANGES, RANGES, RANGES), st.sampled_from(["int8", "int16"]))
def test_slices_by_rows(ranges: tuple[tuple[int, int], ...], dtype: str) -> None:
    """Of rows, columns and channels at once."""
    sizes = (7, 6, 20)

    def sliced(x: relax.Expr) -> relax.Expr:
        begins, steps = zip(*ranges, strict=True)
        return relax.op.strided_slice(x, [1, 2, 3], list(begins), list(sizes), list(steps))

    def wanted(x: np.ndarray) -> np.ndarray:
        return x[(slice(None), *(slice(begin, None, step) for begin, step in ranges))]

    check_by_rows((1, 7, 6, 10), dtype, sliced, wanted)


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("groups", [2, 3])
def test_channels_are_shuffled_by_rows(groups: int, dtype: str) -> None:
    def shuffled(x: relax.Expr) -> relax.Expr:
        parts = relax.op.reshape(x, (1, 3, 5, groups, 12 // groups))
        return relax.op.reshape(relax.op.permute_dims(parts, [0, 1, 2, 4, 3]), (1, 3, 5, 12))

    def wanted(x: np.ndarray) -> np.ndarray:
        return x.reshape(1, 3, 5, groups, -1).swapaxes(3, 4).reshape(1, 3, 5, 12)

    check_by_rows((1, 3, 5, 6), dtype, shuffled, wanted)


def test_a_slice_that_runs_upwards_needs_the_whole_tensor() -> None:
    module = module_of([((1, 4, 4, 2), "int8")], lambda x: relax.op.strided_slice(x, [1], [-1], [-5], [-1]))
    [view] = views_in(module)
    assert view.row_kernel is None


def test_columns_and_channels_change_places_row_by_row() -> None:
    check_by_rows(
        (1, 5, 4, 3), "int8", lambda x: relax.op.permute_dims(x, [0, 1, 3, 2]), lambda x: x.swapaxes(2, 3)
    )


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_concatenate(axis: int, dtype: str) -> None:
    shapes = [
        tuple(size + index * (place == axis) for place, size in enumerate((1, 2, 3, 4))) for index in range(3)
    ]
    check(
        "concatenate", shapes, lambda *parts: relax.op.concat(list(parts), axis),
        lambda *parts: movement.concatenation(parts, axis), dtype,
    )  # fmt: skip


MODES = {
    "asymmetric": ("floor", (False, False)),
    "half_pixel": ("round_prefer_ceil", (False, True)),
    "align_corners": ("round_prefer_ceil", (True, False)),
}


@settings(max_examples=12)
@given(st.sampled_from(sorted(MODES)), st.tuples(st.integers(1, 8), st.integers(1, 8)), st.integers(0, 99))
def test_resize_nearest(mode: str, size: tuple[int, int], seed: int) -> None:
    rounding, flags = MODES[mode]
    if size == (6, 5):
        return

    def body(x: relax.Expr) -> relax.Expr:
        return relax.op.image.resize2d(
            x, relax.ShapeExpr(size), layout="NHWC", method="nearest_neighbor",
            coordinate_transformation_mode=mode, rounding_method=rounding,
        )  # fmt: skip

    check(
        "resize_nearest", [(1, 6, 5, 3)], body,
        lambda x: movement.resize_nearest_neighbor(x, size, *flags), seed=seed,
    )  # fmt: skip


@settings(max_examples=12)
@given(st.sampled_from(sorted(MODES)), st.tuples(st.integers(1, 8), st.integers(1, 8)), st.integers(0, 99))
def test_resize_bilinear(mode: str, size: tuple[int, int], seed: int) -> None:
    def body(x: relax.Expr) -> relax.Expr:
        resized = relax.op.image.resize2d(
            dequantized(x, 0.05, 3), relax.ShapeExpr(size), layout="NHWC", method="linear",
            coordinate_transformation_mode=mode,
        )  # fmt: skip
        return quantized(resized, 0.05, 3)

    check(
        "resize_bilinear", [(1, 6, 5, 3)], body,
        lambda x: movement.resize_bilinear(x, size, *MODES[mode][1]), seed=seed,
    )  # fmt: skip


@pytest.mark.parametrize("axis", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_arg_max(axis: int, dtype: str) -> None:
    def body(x: relax.Expr) -> relax.Expr:
        index = relax.op.argmax(x, axis)
        return relax.op.astype(index, dtype) if dtype == "int32" else index

    def wanted(x: np.ndarray) -> np.ndarray:
        return np.argmax(x, axis)

    check("arg_max", [(1, 4, 3, 5)], body, wanted)


def test_arg_max_of_all_axes_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="all axes"):
        views_in(module_of([((1, 4), "int8")], lambda x: relax.op.argmax(x)))
