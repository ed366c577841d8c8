"""Figures that every view of a report needs: numbers as text, budgets, and the moment of the peak.

A report is the dictionary written to `report.json`. All sizes are in bytes; a step is the index of an
operator in execution order; a tensor lives from `first_use` to `last_use`, both included.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Report = dict[str, Any]
Entry = dict[str, Any]
# Stages whose sizes are told one by one.
MOST_SIZES = 6
# The grid of a stage that is in one part.
UNCUT = "1x1"


def training_report(report: Report) -> Report | None:
    """A report as it would be if the training step were the model's inference; None where it has none.

    What shows a report of an inference, or explains it, does so with a training step.
    """
    if report.get("training") is None:
        return None
    return {**report, **report["training"], "schedules": [], "whole_schedule": None}


def fullest_report(report: Report) -> Report:
    """Of a report and that of its training step the one with more live at its peak."""
    reports = (report, training_report(report) or report)
    return max(reports, key=lambda shown: int(shown["lower_bound_bytes"]))


def format_bytes(count: int) -> str:
    """A size for reading at a glance, in binary units: `296 B`, `54.0 KiB`, `1.25 MiB`."""
    if count < 1024:
        return f"{count} B"
    if count < 1024 * 1024:
        return f"{count / 1024:.1f} KiB"
    return f"{count / (1024 * 1024):.2f} MiB"


def format_count(count: int) -> str:
    """A number of operations for reading at a glance: `336`, `21.1 k`, `12.5 M`, `1.20 G`."""
    for limit, divisor, unit, digits in ((10**3, 1, "", 0), (10**6, 10**3, " k", 1), (10**9, 10**6, " M", 1)):
        if count < limit:
            return f"{count / divisor:.{digits}f}{unit}"
    return f"{count / 10**9:.2f} G"


def format_type(dtype: str, shape: Sequence[int]) -> str:
    """A tensor type on one line: `int8 [1,25,5,64]`; empty where the type is not known."""
    return f"{dtype} [{','.join(str(extent) for extent in shape)}]" if dtype else ""


def format_share(part: int, whole: int) -> str:
    """`part` as a percentage of `whole`; empty where there is nothing to share."""
    return f"{100 * part / whole:.1f}%" if part and whole else ""


def operator_kind(operator: Entry) -> str:
    """The kind of an operator without the prefix of its composite function."""
    return str(operator["kind"]).removeprefix("tinycc.")


def predicted_instructions(schedule: Report) -> int | None:
    """Of one inference, by a report or its `whole_schedule`; None where an operator's are not known."""
    counts = [operator["predicted_instructions"] for operator in schedule["operators"]]
    return None if None in counts else sum(counts)


@dataclass(frozen=True)
class Budget:
    """One memory of the device: what the model takes of it and, where one was given, the limit."""

    memory: str
    content: str
    used_bytes: int
    limit_bytes: int | None

    @property
    def excess_bytes(self) -> int:
        """Bytes over the limit; 0 or less where the model fits or no limit was given."""
        return 0 if self.limit_bytes is None else self.used_bytes - self.limit_bytes

    @property
    def fits(self) -> bool:
        """Whether the model stays within the limit."""
        return self.excess_bytes <= 0

    @property
    def verdict(self) -> str:
        """One line: how much is left, or how much is missing."""
        if self.limit_bytes is None:
            return "no budget given"
        if self.fits:
            return f"fits, {-self.excess_bytes:,} B to spare"
        return f"does not fit, {self.excess_bytes:,} B too much"


def budgets(report: Report) -> list[Budget]:
    """SRAM and flash, in this order.

    The arena holds everything the generated code writes but the stack; flash counts constants only, as the
    size of the code depends on the C compiler.
    """
    return [
        Budget("SRAM", "arena", report["arena_bytes"], report["sram_bytes"]),
        Budget("Flash", "constants", report["weight_bytes"], report["flash_bytes"]),
    ]


def packing_loss(report: Report) -> int:
    """Bytes between the lower bound and the arena."""
    return int(report["arena_bytes"] - report["lower_bound_bytes"])


def describe_optimality(report: Report) -> str:
    """How the arena stands to its lower bound, as a phrase."""
    loss = packing_loss(report)
    if loss == 0:
        return "the arena meets it"
    proof = "proved optimal" if report["optimal"] else "not proved optimal"
    return f"the arena is {loss:,} B above, {proof}"


def describe_variants(report: Report) -> str:
    """How many operators run each variant of their kernels, e.g. "12 dsp_wide, 3 dsp, 2 portable"."""
    counts = Counter(operator["variant"] for operator in report["operators"])
    return ", ".join(f"{count} {variant}" for variant, count in counts.most_common())


def live_at_peak(report: Report) -> list[Entry]:
    """The tensors that are live at the peak, by falling offset: the top of the arena first."""
    names = set(report["bottlenecks"][0]["tensors"]) if report["bottlenecks"] else set()
    live = [tensor for tensor in report["tensors"] if tensor["name"] in names]
    return sorted(live, key=lambda tensor: (-tensor["offset"], tensor["name"]))


def covered_bytes(tensors: Iterable[Entry]) -> int:
    """Bytes of the arena that the tensors cover, shared bytes counted once."""
    covered, end = 0, 0
    for tensor in sorted(tensors, key=lambda tensor: int(tensor["offset"])):
        start, stop = max(tensor["offset"], end), tensor["offset"] + tensor["bytes"]
        covered += max(0, stop - start)
        end = max(end, stop)
    return covered


@dataclass(frozen=True)
class PeakMoment:
    """What the arena holds at the moment that needs most of it. `sum_bytes - shared_bytes = covered_bytes`.

    moment: when that is: the operator and, in a stage, the row call.
    """

    step: int
    operator: str
    moment: str
    tensors: list[Entry]
    sum_bytes: int
    covered_bytes: int

    @property
    def shared_bytes(self) -> int:
        """Bytes saved by tensors that overlap in place."""
        return self.sum_bytes - self.covered_bytes


def peak_moment(report: Report) -> PeakMoment:
    """The tensors that are live at the peak, and how their bytes add up."""
    tensors = live_at_peak(report)
    total = sum(tensor["bytes"] for tensor in tensors)
    step, operator = report["peak_step"], report["peak_operator"]
    moment = f"operator {step}, {operator}"
    if report["bottlenecks"] and report["bottlenecks"][0]["stage"]:
        peak = report["bottlenecks"][0]
        moment += f", in {peak['stage']} (row call {peak['row_call'] + 1} of {peak['row_calls']})"
    return PeakMoment(step, operator, moment, tensors, total, covered_bytes(tensors))


def tensor_type(tensor: Entry) -> str:
    """The type of a tensor; of a ring, how many of its rows and columns there are."""
    text = format_type(tensor["dtype"], tensor["shape"])
    ring = tensor["ring"]
    if ring is None or ring["rows"] is None:
        return text
    parts = [f"{held} of {whole} {name}" for name in ("rows", "columns")
             for held, whole in [ring[name]] if name == "rows" or held < whole]  # fmt: skip
    return f"{', '.join(parts)} of {text}"


@dataclass(frozen=True)
class ScheduleLine:
    """A schedule that was considered.

    needs_bytes: its arena where that is known, `is_exact`; what it cannot run without otherwise.
    extra_macs: what it computes again. instructions: predicted.
    """

    name: str
    needs_bytes: int
    is_exact: bool
    extra_macs: int
    row_calls: int
    instructions: int
    is_chosen: bool
    verdict: str


def schedule_lines(report: Report) -> list[ScheduleLine]:
    """What budget each schedule needs, least first; the verdict is empty where none was given."""
    sram, lines = report["sram_bytes"], []
    for entry in report["schedules"]:
        arena = _arena_of(report, entry)
        needs = entry["live_bytes"] if arena is None else arena
        lines.append(
            ScheduleLine(
                name=describe_stages(entry["stages"], entry["grids"]),
                needs_bytes=needs,
                is_exact=arena is not None,
                extra_macs=entry["extra_macs"],
                row_calls=entry["row_calls"],
                instructions=entry["predicted_instructions"],
                is_chosen=entry["is_chosen"],
                verdict=_verdict(needs, arena is not None, sram),
            )
        )
    return lines


def _verdict(needs: int, is_exact: bool, sram: int | None) -> str:
    if sram is None:
        return ""
    if needs > sram:
        return "does not fit"
    return "fits" if is_exact else "may fit"


def _arena_of(report: Report, schedule: Entry) -> int | None:
    """The arena of a schedule, None where nobody planned it."""
    if schedule["is_chosen"]:
        return int(report["arena_bytes"])
    whole = report["whole_schedule"]
    return int(whole["arena_bytes"]) if whole and not schedule["stages"] else schedule["arena_bytes"]


def describe_stages(stages: Sequence[int], grids: Sequence[str]) -> str:
    """How many operators run row by row, and how they are cut: `2 stages of 3 (2x1) + 2 operators`."""
    if not stages:
        return "whole tensors"
    sizes = [
        f"{size} ({grid})" if grid != UNCUT else str(size) for size, grid in zip(stages, grids, strict=True)
    ]
    if len(stages) > MOST_SIZES:
        cut = sum(grid != UNCUT for grid in grids)
        sizes = [f"{sum(stages)}" + (f" ({cut} of them cut)" if cut else "")]
    return f"{len(stages)} stage{'s' if len(stages) > 1 else ''} of {' + '.join(sizes)} operators"


def stage_sizes(report: Report) -> tuple[list[int], list[str]]:
    """Of each stage how many operators it has and how it is cut."""
    stages = report["stages"]
    return [stage["last"] - stage["first"] + 1 for stage in stages], [stage["grid"] for stage in stages]
