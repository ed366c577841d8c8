"""What reads a state's old value comes before what overwrites it, or reads a copy; no copy without need."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.passes.layout_tools import random_inputs, run_on_vm
from tests.tools.assert_pass import names_in
from tests.tools.kernel_runner import module_of
from tests.tools.stateful_graphs import FILTERS, MEMORY, exact_svdf
from tinycc.graph import OperatorGraph
from tinycc.passes.order_states import OrderStates
from tinycc.passes.pipeline import default_passes
from tinycc.plan import build_plan

INPUTS = 4
HELD = (1, FILTERS * MEMORY)
Body = Callable[..., Sequence[relax.Expr]]


def part(x: relax.Expr, begin: int, end: int) -> relax.Expr:
    return relax.op.strided_slice(x, [1], [begin], [end])


def joined(*parts: relax.Expr) -> relax.Expr:
    return relax.BlockBuilder.current().emit(relax.op.concat(list(parts), 1))


def updated(x: relax.Expr, state: relax.Expr) -> tuple[relax.Expr, relax.Expr]:
    """Result and next state of an SVDF."""
    builder = relax.BlockBuilder.current()
    callee = builder.add_func(exact_svdf(np.random.default_rng(0), INPUTS), "svdf")
    both = builder.emit(relax.Call(callee, [x, state]))
    return builder.emit(relax.TupleGetItem(both, 0)), builder.emit(relax.TupleGetItem(both, 1))


def fused(body: Body, count: int = 1, instruction_set: str = "") -> tvm.IRModule:
    """A module of an input and `count` states, up to the pass under test."""
    module = module_of([((1, INPUTS), "int8")], body, [(HELD, "int8", 3)] * count)
    passes = default_passes("float", instruction_set=instruction_set)
    last = [item.info.name for item in passes].index("RewriteInPlace")
    return tvm.transform.Sequential(passes[: last + 1])(module)


def window(x: relax.Expr, state: relax.Expr) -> list[relax.Expr]:
    """The last inputs, as streaming models hold them."""
    following = joined(part(state, INPUTS, HELD[1]), x)
    return [part(following, 1, 3), following]


def read_behind(x: relax.Expr, state: relax.Expr) -> list[relax.Expr]:
    result, following = updated(x, state)
    return [result, part(state, 1, 3), following]


def read_with_the_result(x: relax.Expr, state: relax.Expr) -> list[relax.Expr]:
    result, following = updated(x, state)
    return [joined(result, state), following]


def exchanged(x: relax.Expr, one: relax.Expr, other: relax.Expr) -> list[relax.Expr]:
    return [part(x, 0, 2), other, one]


def updated_twice(x: relax.Expr, state: relax.Expr) -> list[relax.Expr]:
    """Each from the old state; the next is that of the second."""
    first, _ = updated(x, state)
    second, following = updated(part(joined(x, x), 2, 6), state)
    return [joined(first, second), following]


def updated_in_turn(x: relax.Expr, state: relax.Expr) -> list[relax.Expr]:
    first, between = updated(x, state)
    second, following = updated(part(joined(x, x), 2, 6), between)
    return [joined(first, second), following]


def returned_and_updated(x: relax.Expr, state: relax.Expr) -> list[relax.Expr]:
    return [state, updated(x, state)[1]]


def kept_through_a_view(x: relax.Expr, state: relax.Expr) -> list[relax.Expr]:
    return [x, relax.op.reshape(relax.op.reshape(state, (2, 3)), HELD)]


# The operators that are expected, in order.
CASES: dict[str, tuple[Body, int, list[str]]] = {
    "a result is written over the state": (window, 1, ["delay_line", "strided_copy"]),
    "a reader behind the update comes before": (read_behind, 1, ["strided_copy", "svdf"]),
    "a copy where the result is read, too": (
        read_with_the_result, 1, ["strided_copy", "svdf", "concatenate"],
    ),
    "one copy more than states to exchange them": (exchanged, 2, ["strided_copy"] * 4),
    "an update that is not kept has a copy": (
        updated_twice, 1, ["strided_copy", "svdf", "concatenate", "strided_copy", "svdf", "concatenate"],
    ),
    "updates in turn need none": (
        updated_in_turn, 1, ["svdf", "concatenate", "strided_copy", "svdf", "concatenate"],
    ),
    "an old state is returned as a copy": (returned_and_updated, 1, ["strided_copy", "svdf"]),
    "a state that stays costs nothing": (kept_through_a_view, 1, ["reshape", "reshape"]),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_order_and_copies(name: str) -> None:
    body, count, expected = CASES[name]
    before = fused(body, count)
    after = OrderStates()(before)
    assert names_in(after) == expected
    inputs = random_inputs(before)
    for one, other in zip(run_on_vm(after, inputs), run_on_vm(before, inputs), strict=True):
        np.testing.assert_array_equal(one, other)
    build_plan(after)


def test_copies_cost_what_they_do_on_the_core_of_the_others() -> None:
    module = OrderStates()(fused(exchanged, 2, "armv6-m"))
    assert {node.view.instruction_set for node in OperatorGraph.of(module).nodes} == {"armv6-m"}


def test_a_module_without_states_stays_as_it_is() -> None:
    module = fused(lambda x: [part(x, 1, 3)], 0)
    assert OrderStates()(module).same_as(module)
