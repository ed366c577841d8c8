"""States that new rows are joined to become lines that move up in place; C equals TVM's VM."""

from collections import Counter

import numpy as np
import pytest
import tvm

from tests.tools.kernel_runner import run_plan
from tests.tools.stateful_graphs import run_states_on_vm
from tests.tools.streaming_graphs import streaming
from tinycc.passes.pipeline import default_passes
from tinycc.plan import Plan, build_plan

INFERENCES = 7
Shape = tuple[int, ...]


def planned(module: tvm.IRModule) -> Plan:
    return build_plan(tvm.transform.Sequential(default_passes("float"))(module))


def kinds(plan: Plan) -> Counter[str]:
    return Counter(step.operator.kind for step in plan.steps)


def check(module: tvm.IRModule, plan: Plan) -> None:
    [source] = plan.input_tensors
    cases = list(np.random.default_rng(1).integers(-128, 128, (INFERENCES, *source.shape)).astype(np.int8))
    outputs = run_plan(plan, [[case] for case in cases], sanitize=True)
    for case, (found, wanted) in enumerate(zip(outputs, run_states_on_vm(module, cases), strict=True)):
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(one, other, f"inference {case}")


@pytest.mark.parametrize("form", ["cut", "shifted"])
@pytest.mark.parametrize(
    ("kept", "added", "axis"),
    [
        ((1, 4, 1, 6), (1, 1, 1, 6), 1),
        ((1, 1, 5, 3), (1, 1, 3, 3), 2),
        ((1, 2, 7, 2), (1, 1, 7, 2), 1),
        ((1, 9), (1, 4), 1),
    ],
)
def test_rows_are_neither_joined_nor_cut(form: str, kept: Shape, added: Shape, axis: int) -> None:
    module = streaming(kept, added, axis, form)
    plan = planned(module)
    assert kinds(plan) == {"delay_line": 1, "lookup": 1}
    check(module, plan)


def test_more_rows_may_come_than_are_kept() -> None:
    module = streaming((1, 2, 1, 5), (1, 3, 1, 5), 1, "cut")
    plan = planned(module)
    assert kinds(plan)["delay_line"] == 1
    check(module, plan)


@pytest.mark.parametrize(
    ("kept", "added", "axis", "form"),
    [
        # Old rows are read elsewhere, rows are no run of memory, new ones come in front.
        ((1, 4, 1, 6), (1, 1, 1, 6), 1, "old"),
        ((1, 3, 4, 2), (1, 3, 1, 2), 2, "cut"),
        ((1, 4, 1, 6), (1, 1, 1, 6), 1, "front"),
    ],
)
def test_what_is_no_line_is_joined_and_cut(kept: Shape, added: Shape, axis: int, form: str) -> None:
    module = streaming(kept, added, axis, form)
    plan = planned(module)
    assert kinds(plan)["delay_line"] == 0
    check(module, plan)


def test_a_line_takes_no_more_memory_than_its_rows_and_what_comes_in() -> None:
    plan = planned(streaming((1, 15, 1, 64), (1, 1, 1, 64), 1, "cut"))
    state = plan.buffers["state0"]
    assert state.bytes == 16 * 64
    # Beside it the new row, and then what is read.
    assert plan.arena_bytes <= 2 * state.bytes
