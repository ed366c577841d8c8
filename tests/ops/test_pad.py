"""Padding by a constant and by the tensor's own elements, whole and by rows, against numpy."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from tvm import relax

from tests.codegen.test_turns import executed, simulated
from tests.ops.test_input_rows import check as check_fed_by_rows
from tests.ops.test_stage_grid import planned, whole
from tests.tools.kernel_runner import compile_and_run, module_of, run_plan, views_in
from tests.tools.layers import random_inputs
from tests.tools.networks import Network
from tinycc.errors import UnsupportedError
from tinycc.frontend.padding import padded
from tinycc.ops.border import Border
from tinycc.ops.pad import Pad
from tinycc.ops.stage import UNCUT, Grid, Stage

Widths = Sequence[tuple[int, int]]

NUMPY = {"replicate": "edge", "reflect": "reflect", "symmetric": "symmetric", "circular": "wrap"}
SHAPE = (1, 4, 5, 3)
# On all axes, unequal, as far as every mode goes, and further where that is possible.
WIDTHS: list[Widths] = [
    [(0, 0), (1, 2), (0, 0), (0, 0)],
    [(0, 0), (0, 0), (3, 0), (0, 0)],
    [(0, 0), (3, 3), (4, 4), (0, 0)],
    [(0, 0), (2, 0), (1, 3), (2, 1)],
]
FURTHEST: dict[str, Widths] = {
    "constant": [(0, 0), (6, 7), (8, 9), (0, 0)],
    "replicate": [(0, 0), (6, 7), (8, 9), (4, 5)],
    "symmetric": [(0, 0), (4, 4), (5, 5), (3, 3)],
    "circular": [(0, 0), (4, 4), (5, 5), (3, 3)],
}


def pad(x: relax.Expr, widths: Widths, mode: str) -> relax.Expr:
    """As the frontends write it."""
    if mode == "constant":
        return relax.op.nn.pad(x, [width for sides in widths for width in sides], mode, -7)
    builder = relax.BlockBuilder.current()
    return padded(builder, builder.emit(x), widths, mode)


def numpy_pad(x: np.ndarray, widths: Widths, mode: str) -> np.ndarray:
    return np.pad(x, widths, constant_values=-7) if mode == "constant" else np.pad(x, widths, NUMPY[mode])


@pytest.mark.parametrize("dtype", ["int8", "int16"])
@pytest.mark.parametrize("mode", ["constant", *NUMPY])
def test_each_mode_is_as_numpy_has_it(mode: str, dtype: str) -> None:
    cases = [*WIDTHS, *([FURTHEST[mode]] if mode in FURTHEST else [])]
    module = module_of([(SHAPE, dtype)], lambda x: [pad(x, widths, mode) for widths in cases])
    views = views_in(module)
    assert all(isinstance(view, Pad) and (view.border is None) == (mode == "constant") for view in views)
    assert len(views) == len(cases)
    [x] = random_inputs([(SHAPE, dtype)], 0)
    for widths, result in zip(cases, compile_and_run(module, [x]), strict=True):
        np.testing.assert_array_equal(result, numpy_pad(x, widths, mode))


@pytest.mark.parametrize("mode", ["constant", *NUMPY])
def test_tensors_of_other_ranks(mode: str) -> None:
    """Rows of several images are not rows of one tensor: what TVM makes of it is right, if slow."""
    cases: list[tuple[tuple[int, ...], Widths]] = [
        ((7,), [(3, 2)]),
        ((4, 6), [(2, 1), (3, 3)]),
        ((2, 3, 4, 5), [(0, 0), (0, 0), (2, 3), (1, 1)]),
        ((2, 3, 4, 5), [(0, 0), (2, 1), (0, 0), (0, 0)]),
        ((2, 3, 4, 5), [(1, 1), (0, 0), (0, 0), (0, 0)]),
    ]
    module = module_of(
        [(shape, "int8") for shape, _ in cases],
        lambda *xs: [pad(x, widths, mode) for x, (_, widths) in zip(xs, cases, strict=True)],
    )
    inputs = random_inputs([(shape, "int8") for shape, _ in cases], 0)
    for x, (_, widths), result in zip(inputs, cases, compile_and_run(module, inputs), strict=True):
        np.testing.assert_array_equal(result, numpy_pad(x, widths, mode))


def test_a_take_that_is_no_padding_is_none() -> None:
    for indices in ([0, 1, 2], [0, 0, 2, 1, 3, 3], [1, 0, 1, 2, 3], [3, 2, 1, 0]):
        take = np.array(indices, np.int32)
        module = module_of(
            [(SHAPE, "int8")],
            lambda x, take=take: relax.op.take(x, relax.const(take, "int32"), 1, mode="clip"),
        )
        assert not any(isinstance(view, Pad) for view in views_in(module))


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "circular"])
def test_an_axis_that_is_too_short_is_refused(mode: str) -> None:
    with pytest.raises(UnsupportedError, match=f"{mode} padding of 4 elements by 5"):
        module_of([(SHAPE, "int8")], lambda x: pad(x, [(0, 0), (5, 0), (0, 0), (0, 0)], mode))


def mirrored(network: Network, x: relax.Expr) -> relax.Expr:
    """Rows are asked for out of order, and again."""
    first = network.convolution(x, 4, 3)
    second = network.convolution(pad(first, [(0, 0), (2, 3), (1, 2), (0, 0)], "reflect"), 3, 4, 3)
    return network.depthwise(pad(second, [(0, 0), (2, 3), (3, 0), (0, 0)], "symmetric"), 3, 3, 2)


def repeated(network: Network, x: relax.Expr) -> relax.Expr:
    """The first rows and the last are asked for several times."""
    first = network.convolution(pad(x, [(0, 0), (3, 1), (2, 4), (0, 0)], "replicate"), 4, 3, 3)
    return network.convolution(pad(first, [(0, 0), (1, 2), (1, 2), (0, 0)], "circular"), 2, 4, 3)


NETWORKS = [mirrored, repeated]
SIZE = (1, 8, 9, 3)


@pytest.mark.parametrize("grid", [UNCUT, Grid(3, 2), Grid(2, 3, by_layers=True)], ids=str)
@pytest.mark.parametrize("network", NETWORKS)
def test_a_stage_pads_by_rows_strips_and_patches(network: Callable[..., relax.Expr], grid: Grid) -> None:
    module = module_of([(SIZE, "int8")], lambda x: network(Network(), x))
    plan = planned(module, grid)
    [step] = plan.steps
    assert isinstance(step.operator, Stage) and step.operator.grid == grid
    inputs = random_inputs([(SIZE, "int8")], 0)
    assert executed(plan, inputs) == simulated(plan)
    [[cut]], [[expected]] = run_plan(plan, [inputs], True), run_plan(whole(module), [inputs], True)
    np.testing.assert_array_equal(cut, expected)


@pytest.mark.parametrize("network", NETWORKS)
def test_rows_from_outside_are_padded_as_they_come(network: Callable[..., relax.Expr]) -> None:
    check_fed_by_rows(module_of([(SIZE, "int8")], lambda x: network(Network(), x)))


@pytest.mark.parametrize(
    ("mode", "rows"), [("replicate", 1), ("reflect", 3), ("symmetric", 2), ("circular", 11)]
)
def test_the_ring_before_a_padding_holds_what_is_mirrored(mode: str, rows: int) -> None:
    """Two rows are added above and below: a reflection starts with the third, a circle needs them all."""

    def body(network: Network, x: relax.Expr) -> relax.Expr:
        return pad(network.convolution(x, 4, 3), [(0, 0), (2, 2), (0, 0), (0, 0)], mode)

    [step] = planned(module_of([((1, 11, 6, 3), "int8")], lambda x: body(Network(), x)), UNCUT).steps
    assert isinstance(step.operator, Stage)
    assert step.operator.stream.ring_rows(1) == rows


def test_a_border_is_what_it_is_called() -> None:
    for border in Border:
        for size in (1, 2, 5):
            reach = border.reach(size)
            around = 2 * size if reach is None else reach
            indices = [border.inside(index, size) for index in range(-around, size + around)]
            assert indices == np.pad(np.arange(size), around, NUMPY[border.value]).tolist()
