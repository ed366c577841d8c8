"""Sums and differences by DSP and Helium kernels, on the host and on emulated cores."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import relax

import tinycc
from tests.ops.test_elementwise import binary_module, quantization
from tests.ops.test_products import CORES, FEATURES, PATTERNS
from tests.tools.cut_stages import CutStages
from tests.tools.kernel_runner import compile_and_run, dequantized, module_of, quantized, run_plan, views_in
from tests.tools.layers import Shape, check_distance, check_reference, inputs_of, random_inputs
from tests.tools.networks import Network, shared
from tests.tools.view_reference import reference_of
from tinycc.ops.stage import Grid, Stage
from tinycc.passes import select_kernels
from tinycc.passes.pipeline import default_passes
from tinycc.plan import build_plan
from tinycc.run import run

KINDS = {"add": relax.op.add, "subtract": relax.op.subtract}
# Either operand has the larger scale, or both have one.
SCALES = [(0.05, 0.03), (0.011, 0.05), (0.05, 0.05)]


@pytest.fixture(autouse=True, scope="module")
def first_preference() -> Iterator[None]:
    """Small operators run by these kernels, too, whatever they are predicted to cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select_kernels, "is_counted", lambda _view: False)
        yield


def sum_module(
    name: str, shapes: tuple[Shape, Shape], scales: tuple[float, float] = SCALES[0]
) -> tvm.IRModule:
    a, b = scales
    return binary_module(name, shapes, (quantization(a, -3), quantization(b, 9), quantization(0.07, 5)))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("shapes", PATTERNS, ids=str)
def test_broadcasting(
    shapes: tuple[Shape, Shape], scales: tuple[float, float], feature: str, name: str
) -> None:
    view = check_reference(sum_module(name, shapes, scales), "add", features=(feature,))
    assert view.variant == feature


@pytest.mark.emulator
@pytest.mark.parametrize("core", CORES)
def test_broadcasting_on_a_core(core: str, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    every = core in ("cortex-m4", "cortex-m55")
    cases = [(shapes, name, SCALES[k % 2]) for k, shapes in enumerate(PATTERNS) for name in KINDS]
    for index, (shapes, name, scales) in enumerate(cases if every else cases[::7]):
        module = sum_module(name, shapes, scales)
        [view] = views_in(module, (CORES[core],))
        assert view.variant == CORES[core]
        inputs = inputs_of(view, index)
        tinycc.compile(module, target=core).export(tmp_path / str(index))
        result = run(tmp_path / str(index), core, [array[None] for array in inputs])
        expected = reference_of(view, inputs).reshape(-1)
        np.testing.assert_array_equal(result.outputs[0].reshape(-1), expected, f"{name} {shapes}")


# Of a row and an element of the other operand, or of two rows.
@pytest.mark.parametrize("row", ["a", "b", "both"])
@pytest.mark.parametrize("scales", [(0.1, 0.1), (0.1, 0.0007), (0.02, 0.1)])
@pytest.mark.parametrize("scale", [0.0015, 7.0])
@pytest.mark.parametrize(
    ("activation", "zero_point"),
    [(relax.op.nn.relu, -128), (lambda value: value, 3), (lambda x: relax.op.clip(x, 0, 6), 3)],
)
@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("feature", FEATURES)
def test_all_sums_of_two_elements(
    row: str, scales: tuple[float, float], scale: float, activation: Callable[[relax.Expr], relax.Expr],
    zero_point: int, name: str, feature: str,
) -> None:  # fmt: skip
    def body(a: relax.Expr, b: relax.Expr) -> relax.Expr:
        operands = dequantized(a, scales[0], zero_point), dequantized(b, scales[1], -zero_point - 1)
        return quantized(activation(KINDS[name](*operands)), scale, zero_point)

    a, b = np.mgrid[-128:128, -128:128].astype(np.int8)[:, None]
    if row == "a":
        a, b = b, a[..., :1]
    if row == "b":
        a = a[..., :1]
    module = module_of([(a.shape, "int8"), (b.shape, "int8")], body)
    [view] = views_in(module, (feature,))
    assert view.variant == feature
    [result] = compile_and_run(module, [a, b], features=(feature,))
    np.testing.assert_array_equal(result, reference_of(view, [a, b]))


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("index", [0, 1])
def test_differences_in_place(index: int, feature: str) -> None:
    check_distance(sum_module("subtract", ((1, 2, 3, 7), (1, 2, 3, 7))), index, features=(feature,))


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("shape", [(1, 1, 1, 21), (1, 3, 4, 1)])
def test_a_broadcast_sum_in_place(shape: Shape, feature: str) -> None:
    check_distance(sum_module("add", ((1, 3, 4, 21), shape)), features=(feature,))


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("grid", [Grid(strips=5), Grid(4, 3)], ids=str)
def test_parts_of_rows(grid: Grid, feature: str) -> None:
    network, shape = Network(), (1, 11, 13, 3)

    def body(x: relax.Expr) -> relax.Expr:
        offsets = relax.const(np.array([90, -70, 33, 8, 127], np.int8).reshape(1, 1, 1, 5))
        return network.convolution(network.add(network.convolution(x, 5, 3, 3), offsets), 4, 5, 3)

    module = shared(module_of([(shape, "int8")], body))
    passes = [*default_passes("float", features=(feature,))[:-1], CutStages(grid)]
    plan, whole = (
        build_plan(tvm.transform.Sequential(list(steps))(module))
        for steps in (passes, default_passes("float"))
    )
    [step] = plan.steps
    assert isinstance(step.operator, Stage)
    [member] = [member for member in step.operator.members if member.kind == "add"]
    assert member.variant == feature
    inputs = random_inputs([(shape, "int8")], 0)
    [[result]], [[expected]] = (run_plan(each, [inputs], True) for each in (plan, whole))
    np.testing.assert_array_equal(result, expected)
