"""Requantization of int8 by one multiplication, in C and by Helium, on the host and on emulated cores."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

import tinycc
from tests.tools.cut_stages import CutStages
from tests.tools.kernel_runner import (
    compile_and_run,
    dequantized,
    kernel_call,
    module_of,
    quantized,
    run_plan,
    views_in,
)
from tests.tools.layers import ZERO_POINTS, Shape, check_distance, random_inputs
from tests.tools.networks import SCALE, ZERO_POINT, Network, shared
from tests.tools.view_reference import reference_of
from tinycc.ops.rescaling_lines import BITS, find_lines
from tinycc.ops.stage import Grid, Stage
from tinycc.passes import select_kernels
from tinycc.passes.pipeline import default_passes
from tinycc.plan import build_plan
from tinycc.run import run

LINES = {(): "tinycc_requantize_lines_int8", ("helium",): "tinycc_requantize_lines_helium_int8"}
# From all but constant to sevenfold; rounded once, twice, and with results that are halves.
RATIOS = [1e-3, 0.1, 0.25, 0.4, 0.5, 0.7, 1.0, 1.5, 6.9]


@pytest.fixture(autouse=True, scope="module")
def first_preference() -> Iterator[None]:
    """Small operators run by these kernels, too, whatever they are predicted to cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select_kernels, "is_counted", lambda _view: False)
        yield


def rescaled(ratio: float, zero: int, other_zero: int, shape: Shape = (1, 256)) -> tvm.IRModule:
    return module_of(
        [(shape, "int8")], lambda x: quantized(dequantized(x, 0.05 * ratio, zero), 0.05, other_zero)
    )


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("zeros", [(-128, -128), (127, -5), (-3, 127), (0, 4)])
@pytest.mark.parametrize("features", LINES, ids=str)
def test_all_elements(ratio: float, zeros: tuple[int, int], features: tuple[str, ...]) -> None:
    module = rescaled(ratio, *zeros)
    [view] = views_in(module, features)
    assert kernel_call(view).function == LINES[features]
    values = np.arange(-128, 128, dtype=np.int8)[None]
    [result] = compile_and_run(module, [values], features=features)
    np.testing.assert_array_equal(result, reference_of(view, [values]))


@settings(max_examples=200)
@given(st.floats(0.002, 6.9), ZERO_POINTS, ZERO_POINTS)
def test_there_are_lines_for_other_scales(ratio: float, zero: int, other_zero: int) -> None:
    [view] = views_in(rescaled(ratio, zero, other_zero))
    call = kernel_call(view)
    assert call.function == LINES[()]
    values = np.arange(-128, 128)
    sums = values * call.data["factor"] + call.data["offset"]
    sums += np.where(values < zero, call.data["step"], 0)
    assert np.abs(sums).max() < 2**31
    expected = reference_of(view, [values.astype(np.int8)[None]])
    np.testing.assert_array_equal(np.clip(sums >> BITS, -128, 127), expected[0])


def test_a_factor_that_may_overflow_keeps_the_other_kernel() -> None:
    [view] = views_in(rescaled(9.0, 3, 3), ("helium",))
    assert (view.variant, kernel_call(view).function) == ("portable", "tinycc_requantize_int8_int8")


def test_results_that_lie_on_no_line_have_none() -> None:
    values = np.arange(-128, 128)
    assert find_lines(np.where(values == 5, 9, values), 1.0, 0) is None


@pytest.mark.emulator
@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"])
def test_on_a_core(core: str, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    for index, ratio in enumerate((0.7, 0.4)):
        # No whole number of vectors.
        module = rescaled(ratio, 3, -9, (1, 261))
        [view] = views_in(module, ("helium",) if core == "cortex-m55" else ())
        values = np.resize(np.arange(-128, 128, dtype=np.int8), (1, 261))
        tinycc.compile(module, target=core).export(tmp_path / str(index))
        result = run(tmp_path / str(index), core, [values])
        np.testing.assert_array_equal(result.outputs[0].reshape(1, -1), reference_of(view, [values]))


@pytest.mark.parametrize("features", LINES, ids=str)
def test_in_place(features: tuple[str, ...]) -> None:
    check_distance(rescaled(0.4, 3, -9, (1, 3, 4, 5)), features=features)


@pytest.mark.parametrize("features", LINES, ids=str)
@pytest.mark.parametrize("grid", [Grid(strips=5), Grid(4, 3)], ids=str)
def test_parts_of_rows(grid: Grid, features: tuple[str, ...]) -> None:
    network, shape = Network(), (1, 11, 13, 3)

    def body(x: relax.Expr) -> relax.Expr:
        coarse = quantized(dequantized(network.convolution(x, 5, 3, 3), SCALE, ZERO_POINT), 2.1 * SCALE, -9)
        # What stands between two changes of scale, or they would be one table.
        pixels = relax.op.nn.max_pool2d(coarse, (1, 1), layout="NHWC")
        fine = quantized(dequantized(pixels, 2.1 * SCALE, -9), SCALE, ZERO_POINT)
        return network.convolution(fine, 4, 5, 3)

    module = shared(module_of([(shape, "int8")], body))
    passes = [*default_passes("float", features=features)[:-1], CutStages(grid)]
    plan, whole = (
        build_plan(tvm.transform.Sequential(list(steps))(module))
        for steps in (passes, default_passes("float"))
    )
    [step] = plan.steps
    assert isinstance(step.operator, Stage)
    members = [member for member in step.operator.members if member.kind == "requantize"]
    assert [kernel_call(member).function for member in members] == [LINES[features]] * 2
    inputs = random_inputs([(shape, "int8")], 0)
    [[result]], [[expected]] = (run_plan(each, [inputs], True) for each in (plan, whole))
    np.testing.assert_array_equal(result, expected)
