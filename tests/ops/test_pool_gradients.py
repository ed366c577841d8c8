"""Gradients of averages, maxima, tables and products, against autograd of torch."""

from functools import partial

import numpy as np
import torch
from tvm import relax

import tinycc
from tests.passes.layout_tools import run_on_vm
from tests.tools.gradients import Case, Function, in_c, module_calling
from tests.tools.kernel_runner import check_overlap, run_plan, views_in
from tinycc.ops.average_gradient import average_gradient
from tinycc.ops.clamp_gradient import clamp_gradient
from tinycc.ops.max_pool_gradient import max_pool_gradient
from tinycc.ops.multiply_gradient import multiply_gradient
from tinycc.ops.table_gradient import table_gradient
from tinycc.ops.window import Window
from tinycc.schedule.costs import predicted_instructions

# Window, height and width.
WINDOWS = (
    (Window((2, 2), (2, 2), (0, 0)), (4, 7)),
    (Window((3, 3), (2, 1), (1, 1)), (5, 6)),
    (Window((4, 3), (1, 1), (0, 0)), (4, 3)),
)
CHANNELS = 3


def channels_first(array: np.ndarray) -> torch.Tensor:
    """In float64."""
    return torch.from_numpy(array.astype(np.float64)).permute(0, 3, 1, 2)


def results_of(cases: list[Case]) -> list[list[np.ndarray]]:
    """Of each case, in C; of the second on the VM as well."""
    results = [[result] for result in in_c(*cases)]
    results[1] += run_on_vm(cases[1].module(), cases[1].inputs)
    return results


def gradient_of(window: Window, sizes: tuple[int, int]) -> np.ndarray:
    """A random gradient of what a window makes of an image."""
    counts = [
        (size + 2 * padding - taps) // stride + 1
        for size, padding, taps, stride in zip(
            sizes, window.padding, window.kernel, window.stride, strict=True
        )
    ]
    return np.random.default_rng(0).normal(size=(1, *counts, CHANNELS)).astype(np.float32)


def source_of(sizes: tuple[int, int], seed: int = 1) -> np.ndarray:
    """An image of few values, so that there is often more than one maximum."""
    return np.random.default_rng(seed).integers(-4, 4, (1, *sizes, CHANNELS)).astype(np.int8)


def test_averages_spread_over_their_windows() -> None:
    cases = [
        Case(
            partial(average_gradient, window=window, input_shape=(1, *sizes, CHANNELS)),
            [gradient_of(window, sizes)],
        )
        for window, sizes in WINDOWS
    ]
    for (window, sizes), case, results in zip(WINDOWS, cases, results_of(cases), strict=True):
        source = channels_first(np.zeros((1, *sizes, CHANNELS))).requires_grad_()
        means = torch.nn.functional.avg_pool2d(
            source, window.kernel, window.stride, window.padding, count_include_pad=False
        )
        [expected] = torch.autograd.grad(means, source, channels_first(case.operands[0]))
        for result in results:
            np.testing.assert_allclose(result, expected.permute(0, 2, 3, 1).numpy(), rtol=1e-5, atol=1e-6)
    check_overlap(cases[1].module(), cases[1].inputs, is_tight=False)


def test_the_first_maximum_receives() -> None:
    cases = [
        Case(partial(max_pool_gradient, window=window), [gradient_of(window, sizes), source_of(sizes)])
        for window, sizes in WINDOWS
    ]
    for (window, _), case, results in zip(WINDOWS, cases, results_of(cases), strict=True):
        source = channels_first(case.operands[1]).requires_grad_()
        maxima = torch.nn.functional.max_pool2d(source, window.kernel, window.stride, window.padding)
        [expected] = torch.autograd.grad(maxima, source, channels_first(case.operands[0]))
        for result in results:
            np.testing.assert_allclose(result, expected.permute(0, 2, 3, 1).numpy(), rtol=1e-5, atol=1e-6)


def test_tables_and_products() -> None:
    generator = np.random.default_rng(0)
    gradient = generator.normal(size=(1, 3, 4, 5)).astype(np.float32)
    source = generator.integers(-128, 128, gradient.shape).astype(np.int8)
    table = generator.normal(size=256).astype(np.float32)
    others = [source, source[:, :1, :1], source[:, :, :, :1]]
    cases = [
        Case(partial(table_gradient, table=table), [gradient, source]),
        *(
            Case(partial(multiply_gradient, zero_point=-9), [gradient, np.ascontiguousarray(other)])
            for other in others
        ),
    ]
    expected = [gradient * table[source.astype(int) + 128]]
    expected += [gradient * (other.astype(np.float32) + 9) for other in others]
    for wanted, results in zip(expected, results_of(cases), strict=True):
        for result in results:
            np.testing.assert_array_equal(result, wanted)
    for case in cases[:2]:
        check_overlap(case.module(), case.inputs)


def test_rows_in_a_stage_equal_whole_tensors() -> None:
    """An average with a stride takes other taps for every other row: it is told which row it computes."""
    window, sizes = WINDOWS[1]
    gradient, source = gradient_of(window, sizes), source_of(sizes)
    result = source_of(gradient.shape[1:3], 3)
    table = np.random.default_rng(4).normal(size=256).astype(np.float32)
    inputs = [gradient, result, source]
    composites = [
        Case(partial(clamp_gradient, factor=0.5, low=-3, high=3), [gradient, result]).composite(),
        Case(partial(average_gradient, window=window, input_shape=source.shape), [gradient]).composite(),
        Case(partial(table_gradient, table=table), [source.astype(np.float32), source]).composite(),
    ]

    def body(functions: list[Function], *operands: relax.Var) -> relax.Expr:
        clamped, averaged, looked_up = functions
        return looked_up(averaged(clamped(*operands[:2])), operands[2])

    module = module_calling(composites, inputs, body)
    plans = [tinycc.compile(module, schedule=schedule).plan for schedule in ("whole", "stream")]
    assert [len(plan.steps) for plan in plans] == [3, 1]
    [whole], [stream] = (run_plan(plan, [inputs], True)[0] for plan in plans)
    np.testing.assert_array_equal(stream, whole)


def test_instructions_are_predicted() -> None:
    """Kernels that were never counted take what is known of others."""
    window, sizes = WINDOWS[0]
    case = Case(partial(max_pool_gradient, window=window), [gradient_of(window, sizes), source_of(sizes)])
    [view] = views_in(case.module())
    assert predicted_instructions(view) > view.outputs[0].elements
