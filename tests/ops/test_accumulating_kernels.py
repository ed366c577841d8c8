"""Layers that take in rows, for the DSP extension and Helium: what plain kernels give on whole tensors."""

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import relax

import tinycc
from tests.ops.test_stage import Body
from tests.tools.kernel_runner import dequantized, module_of, quantized, run_plan
from tests.tools.layers import random_inputs
from tests.tools.networks import Network, shared
from tinycc.ops.stage import Stage
from tinycc.passes import select_kernels
from tinycc.passes.pipeline import default_passes
from tinycc.plan import Plan, build_plan
from tinycc.run import run
from tinycc.schedule.options import ScheduleOptions

SHAPE = (1, 11, 13, 3)
CORES = {"cortex-m4": "dsp", "cortex-m33": "dsp", "cortex-m55": "helium"}


def averaged(network: Network, x: relax.Expr) -> relax.Expr:
    return network.average(network.convolution(x, 13, 3, 3), (11, 13))


def rescaled(network: Network, x: relax.Expr) -> relax.Expr:
    image = dequantized(network.convolution(x, 6, 3, 3), 0.05, 3)
    mean = relax.op.nn.avg_pool2d(image, (11, 13), layout="NHWC")
    return quantized(relax.op.clip(mean, -2.0, 2.0), 0.08, -9)


def clamped(network: Network, x: relax.Expr) -> relax.Expr:
    image = dequantized(network.convolution(x, 9, 3, 3), 0.05, 3)
    mean = relax.op.nn.avg_pool2d(image, (11, 13), layout="NHWC")
    return quantized(relax.op.clip(mean, -0.1, 0.2), 0.05, 3)


def reduced(network: Network, x: relax.Expr) -> relax.Expr:
    image = dequantized(network.convolution(x, 21, 3, 3), 0.05, 3)
    return quantized(relax.op.mean(image, [1, 2]), 0.03, -5)


def classified(network: Network, x: relax.Expr) -> relax.Expr:
    return network.dense(network.convolution(x, 3, 3, 3), 11 * 13 * 3, 7)


def of_whole_vectors(network: Network, x: relax.Expr) -> relax.Expr:
    return network.dense(network.convolution(x, 8, 3, 3), 11 * 13 * 8, 10)


def with_large_sums(network: Network, x: relax.Expr) -> relax.Expr:
    return network.dense(network.convolution(x, 10, 3, 3), 11 * 13 * 10, 9)


BODIES: dict[str, Body] = {
    body.__name__: body
    for body in (averaged, rescaled, clamped, reduced, classified, of_whole_vectors, with_large_sums)
}


@pytest.fixture(autouse=True, scope="module")
def first_preference() -> Iterator[None]:
    """Small operators run by these kernels, too, whatever they are predicted to cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select_kernels, "is_counted", lambda _view: False)
        yield


def module_for(name: str) -> tvm.IRModule:
    network = Network()
    return shared(module_of([(SHAPE, "int8")], lambda x: BODIES[name](network, x)))


def planned(module: tvm.IRModule, features: tuple[str, ...], form: str) -> Plan:
    passes = default_passes("float", ScheduleOptions(form=form), features)
    return build_plan(tvm.transform.Sequential(passes)(module))


@functools.cache
def expected_of(name: str, seed: int) -> np.ndarray:
    """The same for all features and cores."""
    inputs = random_inputs([(SHAPE, "int8")], seed)
    [[expected]] = run_plan(planned(module_for(name), (), "whole"), [inputs], True)
    return expected


@pytest.mark.parametrize("feature", ["dsp", "helium"])
@pytest.mark.parametrize("name", BODIES)
def test_rows_on_the_host(name: str, feature: str) -> None:
    module = module_for(name)
    plan = planned(module, (feature,), "stream")
    [step] = plan.steps
    assert isinstance(step.operator, Stage)
    assert f"_rows_{feature}_" in step.operator.calls[-1].function
    inputs = random_inputs([(SHAPE, "int8")], 0)
    [[result]] = run_plan(plan, [inputs], True)
    np.testing.assert_array_equal(result, expected_of(name, 0))


@pytest.mark.emulator
@pytest.mark.parametrize("core", CORES)
def test_rows_on_a_core(core: str, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    for name in BODIES:
        module = module_for(name)
        inputs = random_inputs([(SHAPE, "int8")], 1)
        tinycc.compile(module, target=core, io="float", schedule="stream").export(tmp_path / name)
        result = run(tmp_path / name, core, [array[None] for array in inputs])
        expected = expected_of(name, 1)
        np.testing.assert_array_equal(result.outputs[0].reshape(expected.shape), expected, name)
