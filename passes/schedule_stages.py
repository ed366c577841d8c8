"""Choose which operators run row by row, with rings of rows between them in place of tensors.

Before:  main's composite calls, in their final order
After:   runs of them replaced by calls of composite functions "tinycc.stage", which bind the functions of
         their members and call them; where a stage is cut into strips or patches, its attribute says how;
         what was considered is an attribute of main
Requires: rewrite_in_place, order_operators.
Source:  line buffers of image pipelines and fused-layer accelerators (Alwani et al., "Fused-layer CNN
         accelerators", 2016), patches of MCUNetV2 (Lin et al., 2021), chosen by an exact search.
"""

import json
from typing import Any

import tvm

from tinycc import tvm_adapter
from tinycc.graph import OperatorGraph
from tinycc.schedule.choose import Choice, choose
from tinycc.schedule.options import ScheduleOptions
from tinycc.schedule.search import Schedule

ATTRIBUTE = "tinycc.schedules"


def considered(module: tvm.IRModule) -> list[dict[str, Any]]:
    """The schedules that were considered, least memory first; [] where there was nothing to choose.

    Each has live_bytes (the memory without which it cannot run), arena_bytes (what the planner needs; None
    where it was not asked), macs, of them extra_macs computed again, row_calls, predicted_instructions
    (before weights are widened), stages (the number of operators of each), grids (bands x strips of each) and
    is_chosen.
    """
    found: list[dict[str, Any]] = json.loads(str(tvm_adapter.attribute(module["main"], ATTRIBUTE, "[]")))
    return found


@tvm.transform.module_pass(opt_level=2, name="ScheduleStages")
class ScheduleStages:
    """Module pass; see above."""

    def __init__(self, options: ScheduleOptions | None = None) -> None:
        self.options = options or ScheduleOptions()

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Replace runs of operators by stages."""
        choice = choose(OperatorGraph.of(module), self.options)
        if choice is None:
            return module
        lines = [_told(schedule, choice) for schedule in choice.front]
        result = choice.module
        main = result.get_global_var("main")
        result.update_func(main, result[main].with_attr(ATTRIBUTE, json.dumps(lines)))
        return result


def _told(schedule: Schedule, choice: Choice) -> dict[str, Any]:
    plan = choice.space.plans.get(schedule)
    return {
        "live_bytes": schedule.live_bytes,
        "arena_bytes": None if plan is None else plan.arena_bytes,
        "macs": schedule.macs,
        "extra_macs": schedule.extra_macs,
        "row_calls": schedule.row_calls,
        "predicted_instructions": schedule.instructions,
        "stages": [candidate.members for candidate in schedule.candidates if candidate.members],
        "grids": [str(candidate.grid) for candidate in schedule.candidates if candidate.members],
        "is_chosen": schedule == choice.schedule,
    }
