"""What a user wants of the schedule."""

import re
from dataclasses import dataclass
from typing import Literal, cast, get_args

from tinycc.errors import UnsupportedError
from tinycc.limits import DEFAULT_LIMITS, SearchLimits

Objective = Literal["latency", "memory"]
Form = Literal["auto", "whole", "stream", "patch"]


@dataclass(frozen=True)
class ScheduleOptions:
    """What the user wants of the schedule.

    objective: "latency" is the least work that fits sram_bytes, "memory" the least arena.
    form: "auto" lets the objective decide; "whole" runs no operator row by row, "stream" all that can,
        "patch" the first ones patch by patch as MCUNetV2 does.
    sram_bytes: the budget; None where there is none, and then the least work is on whole tensors.
    most_extra: how much may be computed again, as a share of the model's MACs; None for as much as it takes.
    patches: of the form "patch", into how many parts height and width are cut.
    split: how many operators run by patches; None for what needs the least memory.
    limits: how far the search for a schedule goes.
    """

    objective: Objective = "latency"
    form: Form = "auto"
    sram_bytes: int | None = None
    most_extra: float | None = None
    patches: int = 1
    split: int | None = None
    limits: SearchLimits = DEFAULT_LIMITS


def read_options(
    optimize_for: str, schedule: str, sram_bytes: int | None, max_extra_macs: str | None = None
) -> ScheduleOptions:
    """What the user wrote, or UnsupportedError that says what can be written."""
    if optimize_for not in get_args(Objective):
        raise UnsupportedError(f"cannot optimize for {optimize_for!r}: choose 'latency' or 'memory'")
    objective = cast(Objective, optimize_for)
    most_extra = 0.0 if objective == "memory" else None
    if max_extra_macs is not None:
        most_extra = _share(max_extra_macs)
    patch = re.fullmatch(r"patch:(\d+)x(\d+)(?:@(\d+))?", schedule)
    if patch:
        down, across = int(patch[1]), int(patch[2])
        if down != across or down < 2:
            raise UnsupportedError(f"{schedule!r}: patches are cut as 2x2, 3x3 and so on")
        split = int(patch[3]) if patch[3] else None
        return ScheduleOptions(objective, "patch", sram_bytes, most_extra, down, split)
    if schedule not in get_args(Form) or schedule == "patch":
        raise UnsupportedError(
            f"{schedule!r} is no schedule: choose 'auto', 'whole', 'stream' or 'patch:PxP[@OPERATORS]'"
        )
    return ScheduleOptions(objective, cast(Form, schedule), sram_bytes, most_extra)


def _share(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text.strip())
    if match is None:
        raise UnsupportedError(f"{text!r} is no share of the model's MACs: give a percentage such as 10%")
    return float(match[1]) / 100
