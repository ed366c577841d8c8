"""Products by the kernels for the DSP extension and for Helium, on the host and on emulated cores."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import relax

import tinycc
from tests.ops.test_elementwise import SHAPES, binary_module, quantization
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

FEATURES = ("dsp", "helium")
CORES = {"cortex-m4": "dsp", "cortex-m7": "dsp", "cortex-m33": "dsp", "cortex-m55": "helium"}
# Runs that are no whole vectors, single columns, runs over single channels, one number for each pixel.
PATTERNS = [
    *SHAPES,
    ((1, 2, 5, 1), (1, 2, 1, 1)),
    ((1, 3, 1, 19), (1, 1, 1, 19)),
    ((1, 1, 1, 19), (1, 3, 2, 1)),
    ((1, 2, 3, 16), (1, 1, 1, 16)),
    ((1, 2, 7, 9), ()),
]


@pytest.fixture(autouse=True, scope="module")
def first_preference() -> Iterator[None]:
    """Small operators run by these kernels, too, whatever they are predicted to cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select_kernels, "is_counted", lambda _view: False)
        yield


def product_module(shapes: tuple[Shape, Shape]) -> tvm.IRModule:
    return binary_module(
        "multiply", shapes, (quantization(0.05, -3), quantization(1 / 256, -128), quantization(0.03, 5))
    )


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("shapes", PATTERNS, ids=str)
def test_broadcasting(shapes: tuple[Shape, Shape], feature: str) -> None:
    view = check_reference(product_module(shapes), "multiply", features=(feature,))
    assert view.variant == feature


@pytest.mark.emulator
@pytest.mark.parametrize("core", CORES)
def test_broadcasting_on_a_core(core: str, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    every = core in ("cortex-m4", "cortex-m55")
    for index, shapes in enumerate(PATTERNS if every else PATTERNS[::4]):
        module = product_module(shapes)
        [view] = views_in(module, (CORES[core],))
        assert view.variant == CORES[core]
        inputs = inputs_of(view, index)
        tinycc.compile(module, target=core).export(tmp_path / str(index))
        result = run(tmp_path / str(index), core, [array[None] for array in inputs])
        expected = reference_of(view, inputs).reshape(-1)
        np.testing.assert_array_equal(result.outputs[0].reshape(-1), expected, str(shapes))


# Factors from the least that is not zero everywhere to the largest that is not shifted to the left.
@pytest.mark.parametrize("scale", [0.0101, 0.021, 0.9, 6.0, 300.0])
@pytest.mark.parametrize("zero_points", [(-128, 3, -128), (127, -128, -5)])
@pytest.mark.parametrize(
    "activation", [relax.op.nn.relu, lambda value: value, lambda x: relax.op.clip(x, 0, 6)]
)
@pytest.mark.parametrize("feature", FEATURES)
def test_all_products_of_two_elements(
    scale: float, zero_points: tuple[int, int, int], activation: Callable[[relax.Expr], relax.Expr],
    feature: str,
) -> None:  # fmt: skip
    def body(a: relax.Expr, b: relax.Expr) -> relax.Expr:
        product = relax.op.multiply(dequantized(a, 0.1, zero_points[0]), dequantized(b, 0.1, zero_points[1]))
        return quantized(activation(product), scale, zero_points[2])

    module = module_of([((1, 256, 256), "int8")] * 2, body)
    [view] = views_in(module, (feature,))
    # Helium has no kernel for factors of nearly one.
    assert view.variant == (feature if feature == "dsp" or scale > 0.02 else "portable")
    a, b = (axis.astype(np.int8) for axis in np.mgrid[-128:128, -128:128])
    [result] = compile_and_run(module, [a[None], b[None]], features=(feature,))
    np.testing.assert_array_equal(result, reference_of(view, [a, b]))


@pytest.mark.parametrize("feature", FEATURES)
def test_a_factor_above_one_stays_portable(feature: str) -> None:
    quantizations = (quantization(0.5, 3), quantization(0.5, 3), quantization(0.1, 3))
    [view] = views_in(binary_module("multiply", ((1, 4), (1, 4)), quantizations), (feature,))
    assert view.variant == "portable"


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("index", [0, 1])
def test_products_in_place(index: int, feature: str) -> None:
    shapes = ((1, 2, 3, 7), (1, 2, 3, 7))
    check_distance(product_module(shapes), index, features=(feature,))


@pytest.mark.parametrize("feature", FEATURES)
def test_a_scaled_tensor_in_place(feature: str) -> None:
    check_distance(product_module(((1, 3, 4, 21), (1, 1, 1, 21))), features=(feature,))


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize("grid", [Grid(strips=5), Grid(4, 3)], ids=str)
def test_parts_of_rows(grid: Grid, feature: str) -> None:
    network, shape = Network(), (1, 11, 13, 3)

    def body(x: relax.Expr) -> relax.Expr:
        gate = relax.const(np.array([90, -70, 33, 8, 127], np.int8).reshape(1, 1, 1, 5))
        scaled = network.scaled(network.convolution(x, 5, 3, 3), gate)
        return network.convolution(scaled, 4, 5, 3)

    module = shared(module_of([(shape, "int8")], body))
    passes = [*default_passes("float", features=(feature,))[:-1], CutStages(grid)]
    plan, whole = (
        build_plan(tvm.transform.Sequential(list(steps))(module))
        for steps in (passes, default_passes("float"))
    )
    [step] = plan.steps
    assert isinstance(step.operator, Stage)
    [product] = [member for member in step.operator.members if member.kind == "multiply"]
    assert product.variant == feature
    inputs = random_inputs([(shape, "int8")], 0)
    [[result]], [[expected]] = (run_plan(each, [inputs], True) for each in (plan, whole))
    np.testing.assert_array_equal(result, expected)
