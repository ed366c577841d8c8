"""Why a model does not fit, in sentences: the peak, what is live in it, what comes next, what would help."""

from __future__ import annotations

from tinycc.report.figures import Entry, Report, live_at_peak

MOST_NAMED = 3
MOST_TENSORS = 5
ADVICE = {
    "input": "a smaller input",
    "output": "a smaller output",
    "ring": "fewer channels or narrower rows there",
    "activation": "fewer channels, or pixels, there",
    "scratch": "another operator there",
    "state": "a smaller state",
}


def least_bytes(report: Report) -> int:
    """The least memory that any schedule considered would need, whatever was asked for."""
    bounds = [schedule["live_bytes"] for schedule in report["schedules"] if not schedule["is_chosen"]]
    return min([report["arena_bytes"], *bounds])


def explain_excess(report: Report) -> list[str]:
    """Sentences on an arena that is larger than the SRAM given; [] where it fits or none was given."""
    sram, arena = report["sram_bytes"], report["arena_bytes"]
    if sram is None or arena <= sram:
        return []
    if not report["operators"]:
        return [_need(report, sram)]
    sentences = [_need(report, sram), explain_peak(report)]
    missing = report["lower_bound_bytes"] - sram
    if missing <= 0:
        return [*sentences, f"What is live would fit: the placement loses {arena - sram - missing:,} bytes."]
    return [*sentences, explain_cost(report, sram), _too_large(report, sram), *_rows_instead(report)]


def _need(report: Report, sram: int) -> str:
    """By how much it is too large, and whether another schedule would need less."""
    arena, schedule = report["arena_bytes"], report["schedule"]
    is_least = schedule == "auto" and report["schedules"]
    need = "at least" if is_least else "an arena of"
    text = (
        f"{report['model']} needs {need} {arena:,} bytes, {arena - sram:,} more than the {sram:,} bytes "
        f"of SRAM given"
    )
    count, least = len(report["schedules"]), least_bytes(report)
    if is_least:
        return f"{text}, in the best of {count} schedules." if count > 1 else f"{text}."
    if least >= arena:
        return f"{text}."
    return f"{text}, with schedule {schedule!r}; --optimize-for memory would need about {least:,}."


def explain_peak(report: Report) -> str:
    """Where the peak is, and what is live then."""
    operator = report["operators"][report["peak_step"]]
    place = f" in {operator['stage']}" if operator["stage"] else ""
    live = sorted(live_at_peak(report), key=lambda tensor: -int(tensor["bytes"]))
    names = ", ".join(f"{tensor['name']} {tensor['bytes']:,}" for tensor in live[:MOST_TENSORS])
    more = f" and {len(live) - MOST_TENSORS} smaller ones" if len(live) > MOST_TENSORS else ""
    is_shared = sum(tensor["bytes"] for tensor in live) > operator["live_bytes"]
    shared = ", partly over one another" if is_shared else ""
    return (
        f"The peak is at {operator['name']}{place} ({operator['description']}) with "
        f"{operator['live_bytes']:,} bytes live: {names}{more}{shared}."
    )


def explain_cost(report: Report, sram: int) -> str:
    """What it would mean if the tensor of the peak that costs most were gone."""
    costly = max(live_at_peak(report), key=lambda tensor: int(tensor["cost_bytes"]))
    left = report["lower_bound_bytes"] - costly["cost_bytes"]
    if left > sram:
        return f"No tensor alone is to blame: without {costly['name']}, {left:,} bytes would still be needed."
    return f"It would fit with {ADVICE[costly['kind']]}: without {costly['name']}, {left:,} bytes would do."


def bottleneck_name(bottleneck: Entry) -> str:
    """The operator and its stage."""
    return (
        f"{bottleneck['name']} in {bottleneck['stage']}" if bottleneck["stage"] else str(bottleneck["name"])
    )


def _too_large(report: Report, sram: int) -> str:
    large = [operator for operator in report["operators"] if operator["live_bytes"] > sram]
    places = list(dict.fromkeys(operator["stage"] or operator["name"] for operator in large))
    if len(places) == 1:
        return f"Nothing but {places[0]} needs more than {sram:,} bytes."
    named = ", ".join(places[:MOST_NAMED]) + (" and others" if len(places) > MOST_NAMED else "")
    return f"To fit, {len(places)} steps must become smaller: {named}."


def _rows_instead(report: Report) -> list[str]:
    """A hint where an input stands in memory at the peak that might come row by row."""
    inputs = [
        tensor["name"]
        for tensor in live_at_peak(report)
        if tensor["kind"] == "input" and tensor["cost_bytes"]
    ]
    if not inputs or report["input_mode"] != "tensor" or len(report["inputs"]) > 1:
        return []
    return [f"With --input-mode rows, {inputs[0]} need not be in memory whole."]
