"""Entries that run in one arena: an inference, and whatever else works on the same states."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import tvm

from tinycc.errors import UnsupportedError
from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.plan.arena import in_a_row, place_beside
from tinycc.plan.build import build_plan
from tinycc.plan.check import check_plan
from tinycc.plan.model import Buffer, Plan

# The entry that computes outputs from inputs, and the one that learns from an example.
INVOKE, TRAIN = "invoke", "train"


@dataclass(frozen=True, eq=False)
class Program:
    """Entries by name, each with a module and a plan of its own.

    What outlives an entry, states and trained weights, lies at the same offsets in all plans; what does not,
    the entries share.
    """

    entries: Mapping[str, Plan]

    @property
    def persistent(self) -> dict[str, Buffer]:
        """The buffers that outlive an entry."""
        buffers = (buffer for plan in self.entries.values() for buffer in plan.buffers.values())
        return {buffer.name: buffer for buffer in buffers if buffer.kind == "state"}

    @property
    def arena_bytes(self) -> int:
        """Memory of all entries."""
        return max(plan.arena_bytes for plan in self.entries.values())


def build_program(modules: Mapping[str, tvm.IRModule], limits: SearchLimits = DEFAULT_LIMITS) -> Program:
    """The program of modules whose passes are done, by the names of the entries.

    States are the same in all: those of one place among the last parameters of `main` are one buffer.
    Operators of entries other than an inference are named after their entry as well.
    Raises UnsupportedError where they differ in size.
    """
    plans = {
        name: build_plan(module, limits, "" if name == INVOKE else f"{name}_")
        for name, module in modules.items()
    }
    if len(plans) == 1:
        return Program(plans)
    states: dict[str, Buffer] = {}
    for name, plan in plans.items():
        for buffer in plan.buffers.values():
            if buffer.kind == "state":
                known = states.setdefault(buffer.name, buffer)
                if (known.bytes, known.alignment) != (buffer.bytes, buffer.alignment):
                    raise UnsupportedError(f"{buffer.name} of the entry {name} has another size elsewhere")
    offsets, state_bytes = in_a_row(list(states.values()))
    work_bytes = max(end - first for first, end in (plan.work_span for plan in plans.values()))
    work = [buffer for plan in plans.values() for buffer in plan.buffers.values() if buffer.kind != "state"]
    work_place, state_place = place_beside(work, work_bytes, list(states.values()), state_bytes)
    placed = {name: state_place + offset for name, offset in offsets.items()}
    end = max(work_place + work_bytes, state_place + state_bytes)
    return Program({name: _moved(plan, work_place, placed, end) for name, plan in plans.items()})


def _moved(plan: Plan, work_place: int, states: Mapping[str, int], arena_bytes: int) -> Plan:
    """A plan with its working memory from `work_place` on and states where all entries have them."""
    by = work_place - plan.work_span[0]
    buffers = {
        name: replace(buffer, offset=states[name] if buffer.kind == "state" else buffer.offset + by)
        for name, buffer in plan.buffers.items()
    }
    moved = replace(plan, buffers=buffers, arena_bytes=arena_bytes)
    check_plan(moved)
    return moved
