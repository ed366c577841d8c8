"""Choosing how ranges of activations are found."""

from dataclasses import replace

from tinycc.errors import UnsupportedError
from tinycc.quantization.calibration import Case
from tinycc.quantization.float_model import Choice, FloatModel, Progress
from tinycc.quantization.reference import Reference

AUTO = "auto"


def calibrate(
    model: FloatModel, cases: list[Case], choice: Choice, reference: Reference, progress: Progress
) -> tuple[Choice, dict[str, float]]:
    """Find the ranges; with the method "auto" by all methods of the library, of which the best is kept.

    Returns the choice with the method taken, and the signal-to-noise ratio of the outputs in decibels of each
    that was tried.
    """
    if choice.method != AUTO:
        if choice.method not in model.methods:
            known = ", ".join(model.methods)
            raise UnsupportedError(
                f"range {choice.method!r} is not known for .{model.kind}: one of {known}, auto"
            )
        model.calibrate(cases, choice.method, progress)
        return choice, {}
    tried = {}
    for method in model.methods:
        model.calibrate(cases, method, progress)
        tried[method] = reference.decibels(model.quantized(replace(choice, method=method)))
    return replace(choice, method=max(tried, key=tried.__getitem__)), tried
