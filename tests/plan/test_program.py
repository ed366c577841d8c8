"""Entries that share their states and their working memory."""

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.tools.kernel_runner import dequantized, module_of, quantized
from tinycc.errors import UnsupportedError
from tinycc.passes.pipeline import default_passes
from tinycc.plan import INVOKE, Plan, build_plan, build_program

SCALE = 2.0**-5
STATES = [((1, 7), "int8", np.arange(7, dtype=np.int8)), ((1, 4), "int16", 0)]


def entry(width: int, states: list = STATES) -> tvm.IRModule:
    """A model that adds an input to itself, writes the input over the first state, and reads the other."""

    def body(x: relax.Expr, *held: relax.Expr) -> list[relax.Expr]:
        real = dequantized(x, SCALE)
        first = relax.op.strided_slice(x, [1], [0], [7])
        return [quantized(relax.op.add(real, relax.op.tanh(real)), SCALE), first, *held[1:]]

    module = module_of([((1, width), "int8")], body, states)
    return tvm.transform.Sequential(default_passes("float"))(module)


def states_of(plan: Plan) -> dict[str, int]:
    return {buffer.name: buffer.offset for buffer in plan.buffers.values() if buffer.kind == "state"}


def test_a_single_entry_is_its_plan() -> None:
    module = entry(20)
    program = build_program({INVOKE: module})
    alone = build_plan(module)
    assert program.entries[INVOKE].buffers == alone.buffers
    assert program.arena_bytes == alone.arena_bytes


def test_states_lie_at_the_same_offsets_in_all_entries() -> None:
    program = build_program({INVOKE: entry(20), "step": entry(200)})
    small, large = program.entries[INVOKE], program.entries["step"]
    assert states_of(small) == states_of(large) != {}
    assert program.persistent.keys() == {"state0", "state1"}
    # The larger entry decides: the other has room to spare.
    assert program.arena_bytes == build_plan(entry(200)).arena_bytes
    assert build_plan(entry(20)).arena_bytes < program.arena_bytes


def test_states_of_other_sizes_are_refused() -> None:
    other = [((1, 7), "int8", 0), ((1, 5), "int16", 0)]
    with pytest.raises(UnsupportedError, match="state1 of the entry step has another size elsewhere"):
        build_program({INVOKE: entry(20), "step": entry(20, other)})
