"""Figures that every view of a report needs: numbers as text, budgets, and the moment of the peak.

A report is the dictionary written to `report.json`. All sizes are in bytes; a step is the index of an
operator in execution order; a tensor lives from `first_use` to `last_use`, both included.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Report = dict[str, Any]
Entry = dict[str, Any]


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


def explain_excess(report: Report) -> str:
    """Why the arena is larger than the SRAM given and what placement could still win; empty if it fits."""
    sram = budgets(report)[0]
    if sram.limit_bytes is None or sram.fits:
        return ""
    where = f"The peak is at operator {report['peak_step']}, {report['peak_operator']}."
    missing = report["lower_bound_bytes"] - sram.limit_bytes
    if missing > 0:
        return f"{where} No placement can fit: the lower bound alone is {missing:,} B over the budget."
    return f"{where} The lower bound would fit: the placement loses {packing_loss(report):,} B."


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


def live_tensors(tensors: Iterable[Entry], step: int) -> list[Entry]:
    """The tensors that live at a step, by falling offset: the top of the arena first."""
    live = [tensor for tensor in tensors if tensor["first_use"] <= step <= tensor["last_use"]]
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
    """What the arena holds at the step that needs most of it. `sum_bytes - shared_bytes = covered_bytes`."""

    step: int
    operator: str
    tensors: list[Entry]
    sum_bytes: int
    covered_bytes: int

    @property
    def shared_bytes(self) -> int:
        """Bytes saved by tensors that overlap in place."""
        return self.sum_bytes - self.covered_bytes


def peak_moment(report: Report) -> PeakMoment:
    """The tensors that live at the peak, and how their bytes add up."""
    tensors = live_tensors(report["tensors"], report["peak_step"])
    total = sum(tensor["bytes"] for tensor in tensors)
    return PeakMoment(report["peak_step"], report["peak_operator"], tensors, total, covered_bytes(tensors))
