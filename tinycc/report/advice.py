"""What to do about a model that compiles, but not as it could, in sentences."""

from __future__ import annotations

from tinycc.passes.lower_fallbacks import FLOAT_WEIGHTS
from tinycc.report.figures import Report, operator_kind

# From this share of the predicted instructions on, fallbacks are worth a line.
LARGE_SHARE = 0.25
MOST_NAMED = 3


def advise(report: Report) -> list[str]:
    """Sentences on fallbacks; [] where there is nothing to do about them."""
    return _float_weights(report) or _large_share(report)


def _float_weights(report: Report) -> list[str]:
    """Layers whose int8 weights somebody has made floats of."""
    count = sum(fallback["reason"].endswith(FLOAT_WEIGHTS) for fallback in report["fallbacks"])
    count += len(report.get("float_layers", ()))
    if not count:
        return []
    return [
        f"{report['model']}: {count} layer{'s have' if count > 1 else ' has'} {FLOAT_WEIGHTS}, as TVM's "
        "FoldConstant leaves int8 weights: do not run it before tinycc, which folds what else is constant"
    ]


def _large_share(report: Report) -> list[str]:
    """The share of fallbacks in the work, by predicted instructions.

    It is the least: a loop nest is predicted by the elements that it reads and writes, however often it does.
    """
    work: dict[bool, int] = {False: 0, True: 0}
    for operator in report["operators"]:
        work[operator_kind(operator) == "fallback"] += operator["predicted_instructions"] or 0
    share = work[True] / max(sum(work.values()), 1)
    if share < LARGE_SHARE:
        return []
    reasons = list(dict.fromkeys(fallback["reason"] for fallback in report["fallbacks"]))
    more = f" and {len(reasons) - MOST_NAMED} more" if len(reasons) > MOST_NAMED else ""
    count = f"{len(report['fallbacks'])} of {len(report['operators'])} operators"
    return [
        f"{report['model']}: {count} are fallbacks, with at least {share:.0%} of the predicted instructions "
        f"({'; '.join(reasons[:MOST_NAMED])}{more}): quantize them, or put operators in their place that "
        "tinycc has kernels for"
    ]
