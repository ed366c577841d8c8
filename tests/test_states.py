"""States read before and after their update: C equals TVM's VM, whatever the plan."""

from pathlib import Path

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.fixed_point import INT8, Quantization
from tests.reference.recurrent import SvdfQuantization, svdf
from tests.tools.corpus import SLOW
from tests.tools.kernel_runner import run_cases, run_plan
from tests.tools.stateful_graphs import IMAGE, run_states_on_vm, stateful_module
from tests.tools.tflite_writer import TFLiteWriter
from tinycc.edges import Edge
from tinycc.frontend.load import load_model
from tinycc.passes.pipeline import default_passes
from tinycc.plan import Plan, build_plan
from tinycc.schedule.options import ScheduleOptions

CASES = 4
OPTIONS = {
    "default": ScheduleOptions(),
    "row by row": ScheduleOptions(form="stream"),
    "least memory": ScheduleOptions("memory"),
    "the file's order": ScheduleOptions(),
}


def plan_for(module: tvm.IRModule, option: str) -> Plan:
    passes = default_passes("float", OPTIONS[option])
    left_out = "OrderOperators" if option == "the file's order" else ""
    kept = [item for item in passes if item.info.name != left_out]
    return build_plan(tvm.transform.Sequential(kept)(module))


def on_device(array: np.ndarray, edge: Edge) -> np.ndarray:
    """A tensor in the device's layout: transposes at an edge are left to the caller."""
    return array.transpose(edge.permutation) if edge.permutation else array


@pytest.mark.parametrize("option", OPTIONS)
@settings(max_examples=200 if SLOW else 3)
@given(seed=st.integers(0, 2**31))
def test_random_graphs_with_states(option: str, seed: int) -> None:
    module = stateful_module(seed)
    cases = list(np.random.default_rng(seed).integers(-128, 128, (CASES, *IMAGE)).astype(np.int8))
    expected = run_states_on_vm(module, cases)
    plan = plan_for(module, option)
    [source], edges = plan.edges.inputs, plan.edges.outputs
    outputs = run_plan(plan, [[on_device(case, source)] for case in cases], sanitize=False)
    for case, (found, wanted) in enumerate(zip(outputs, expected, strict=True)):
        for one, other, edge in zip(found, wanted, edges, strict=True):
            np.testing.assert_array_equal(one, on_device(other, edge), f"inference {case}")


def slice_of(net: TFLiteWriter, source: int, name: str) -> int:
    """Elements 1 and 2 of a tensor [1,6]."""
    begin, size = (
        net.add_tensor(f"{name}_{field}", (2,), "int32", data=np.array(values, np.int32))
        for field, values in (("begin", [0, 1]), ("size", [1, 2]))
    )
    result = net.add_tensor(name, (1, 2), scale=0.04, zero_point=-7)
    net.add_operator("SLICE", [source, begin, size], [result], "SliceOptions")
    return result


def test_a_file_reads_a_state_as_the_operators_before_left_it(tmp_path: Path) -> None:
    """Two SVDF share a state; it is read before, between and behind them, and returned."""
    generator = np.random.default_rng(0)
    feature, time = (generator.integers(-128, 128, shape) for shape in ((3, 4), (3, 2)))
    scales = SvdfQuantization(
        Quantization(0.03, 5), 0.02, 0.02, Quantization(0.04, -7), Quantization(0.15, 9), INT8
    )
    net = TFLiteWriter()
    x = net.add_tensor("x", (1, 4), scale=0.03, zero_point=5)
    state = net.add_tensor("state", (1, 6), scale=0.04, zero_point=-7, variable=True)
    weights = [
        net.add_tensor(name, value.shape, scale=0.02, data=value)
        for name, value in (("feature", feature), ("time", time))
    ]
    results = [slice_of(net, state, "before")]
    for name in ("one", "two"):
        results.append(net.add_tensor(name, (1, 3), scale=0.15, zero_point=9))
        net.add_operator("SVDF", [x, *weights, -1, state], results[-1:], "SVDFOptions", Rank=1)
        results.append(slice_of(net, state, f"behind_{name}"))
    path = tmp_path / "shared.tflite"
    path.write_bytes(net.finish([x], [*results, state]))
    cases = generator.integers(-128, 128, (3, 1, 4)).astype(np.int8)
    held = np.full((1, 6), -7)
    for case, outputs in zip(cases, run_cases(load_model(path), [[case] for case in cases]), strict=True):
        expected = [held[:, 1:3]]
        for _ in range(2):
            result, held = svdf(case, feature, time, None, held, 1, scales)
            expected += [result, held[:, 1:3]]
        for output, wanted in zip(outputs, [*expected, held], strict=True):
            np.testing.assert_array_equal(output, wanted)
