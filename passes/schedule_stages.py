"""Choose which operators run row by row, with rings of rows between them in place of tensors.

Before:  main's composite calls, in their final order
After:   runs of them replaced by calls of composite functions "tinycc.stage", which bind the functions of
         their members and call them
Requires: rewrite_in_place, order_operators.
Source:  line buffers of image pipelines and fused-layer accelerators (Alwani et al., "Fused-layer CNN
         accelerators", 2016), chosen by an exact search over cut points.
"""

from dataclasses import dataclass
from typing import Literal

import tvm

from tinycc.plan import build_plan
from tinycc.schedule.candidates import Candidates, staged
from tinycc.schedule.search import Schedule, Search

Objective = Literal["latency", "memory"]
Form = Literal["auto", "whole", "stream"]


@dataclass(frozen=True)
class ScheduleOptions:
    """What the user wants of the schedule.

    objective: "latency" is the least work that fits sram_bytes, "memory" the least arena.
    form: "whole" and "stream" force one.
    sram_bytes: None where there is no budget.
    """

    objective: Objective = "latency"
    form: Form = "auto"
    sram_bytes: int | None = None


@tvm.transform.module_pass(opt_level=0, name="ScheduleStages")
class ScheduleStages:
    """Module pass; see above."""

    def __init__(self, options: ScheduleOptions | None = None) -> None:
        self.options = options or ScheduleOptions()

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Replace runs of operators by stages."""
        options = self.options
        is_free = options.objective == "latency" and options.form == "auto" and options.sram_bytes is None
        if options.form == "whole" or is_free:
            return module
        candidates = Candidates(module)
        schedule = self._choose(candidates)
        return staged(candidates, list(schedule.candidates))

    def _choose(self, candidates: Candidates) -> Schedule:
        arenas: dict[Schedule, int] = {}

        def arena_of(schedule: Schedule) -> int:
            if schedule not in arenas:
                arenas[schedule] = build_plan(staged(candidates, list(schedule.candidates))).arena_bytes
            return arenas[schedule]

        whole = Schedule(tuple(candidates.whole))
        budget = self.options.sram_bytes
        wants_latency = self.options.objective == "latency" and self.options.form == "auto"
        if wants_latency and budget is not None and arena_of(whole) <= budget:
            return whole
        search = Search([*candidates.whole, *candidates.stages], len(candidates.bindings))
        if wants_latency and budget is not None:
            fitting = search.fitting(budget, arena_of)
            if fitting is not None:
                return fitting
        return search.smallest(arena_of)
