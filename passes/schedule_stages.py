"""Choose which operators run row by row, with rings of rows between them in place of tensors.

Before:  main's composite calls, in their final order
After:   runs of them replaced by calls of composite functions "tinycc.stage", which bind the functions of
         their members and call them; what was considered is an attribute of main
Requires: rewrite_in_place, order_operators.
Source:  line buffers of image pipelines and fused-layer accelerators (Alwani et al., "Fused-layer CNN
         accelerators", 2016), chosen by an exact search over cut points.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import tvm

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.plan import build_plan
from tinycc.schedule.candidates import Candidates, staged
from tinycc.schedule.search import Schedule, Search

Objective = Literal["latency", "memory"]
Form = Literal["auto", "whole", "stream"]

ATTRIBUTE = "tinycc.schedules"


@dataclass(frozen=True)
class ScheduleOptions:
    """What the user wants of the schedule.

    objective: "latency" is the least work that fits sram_bytes, "memory" the least arena.
    form: "auto" lets the objective decide; "whole" runs no operator row by row, "stream" all that can.
    sram_bytes: the budget; None where there is none, and then the least work is on whole tensors.
    """

    objective: Objective = "latency"
    form: Form = "auto"
    sram_bytes: int | None = None


def read_options(optimize_for: str, schedule: str, sram_bytes: int | None) -> ScheduleOptions:
    """What the user wrote, or UnsupportedError that says what can be written."""
    if optimize_for not in get_args(Objective):
        raise UnsupportedError(f"cannot optimize for {optimize_for!r}: choose 'latency' or 'memory'")
    if schedule not in get_args(Form):
        raise UnsupportedError(f"{schedule!r} is no schedule: choose 'auto', 'whole' or 'stream'")
    return ScheduleOptions(cast(Objective, optimize_for), cast(Form, schedule), sram_bytes)


def considered(module: tvm.IRModule) -> list[dict[str, Any]]:
    """The schedules that were considered, least memory first; [] where there was nothing to choose.

    Each has live_bytes (the memory without which it cannot run), macs, row_calls, stages (the numbers of
    operators of each) and is_chosen.
    """
    found: list[dict[str, Any]] = json.loads(str(tvm_adapter.attribute(module["main"], ATTRIBUTE, "[]")))
    return found


@tvm.transform.module_pass(opt_level=0, name="ScheduleStages")
class ScheduleStages:
    """Module pass; see above."""

    def __init__(self, options: ScheduleOptions | None = None) -> None:
        self.options = options or ScheduleOptions()

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Replace runs of operators by stages."""
        candidates = Candidates(module)
        if not candidates.bindings:
            return module
        search = Search([*candidates.whole, *candidates.stages], len(candidates.bindings))
        chosen = self._choose(candidates, search)
        front = search.front()
        if chosen not in front:
            front = sorted([*front, chosen], key=lambda schedule: schedule.live_bytes)
        lines = [_told(schedule, schedule == chosen) for schedule in front]
        result = staged(candidates, list(chosen.candidates))
        main = result.get_global_var("main")
        result.update_func(main, result[main].with_attr(ATTRIBUTE, json.dumps(lines)))
        return result

    def _choose(self, candidates: Candidates, search: Search) -> Schedule:
        options = self.options
        arenas: dict[Schedule, int] = {}

        def arena_of(schedule: Schedule) -> int:
            if schedule not in arenas:
                arenas[schedule] = build_plan(staged(candidates, list(schedule.candidates))).arena_bytes
            return arenas[schedule]

        whole = Schedule(tuple(candidates.whole))
        if options.form == "stream":
            return search.longest_stages()
        if options.form == "whole":
            return whole
        if options.objective == "memory":
            return search.smallest(arena_of)
        if options.sram_bytes is None or arena_of(whole) <= options.sram_bytes:
            return whole
        return search.fitting(options.sram_bytes, arena_of) or search.smallest(arena_of)


def _told(schedule: Schedule, is_chosen: bool) -> dict[str, Any]:
    return {
        "live_bytes": schedule.live_bytes,
        "macs": schedule.macs,
        "row_calls": schedule.row_calls,
        "stages": [candidate.members for candidate in schedule.candidates if candidate.members],
        "is_chosen": is_chosen,
    }
