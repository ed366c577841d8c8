"""What the search took a network to cost, beside what the compiler says of it with trained weights.

The search asks for networks without weights: all kernels can do with them, and no channel is dead. Trained
weights may be otherwise. Where they are is found by comparing two reports, operator by operator: that of the
trained network, and that of the same with canonical weights.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tinycc import compiler
from tinycc.errors import BudgetError
from tinycc.report.compare import Difference, differing_operators
from tinycc.report.figures import Report
from tinycc.search.architecture import Architecture
from tinycc.search.canonical import canonical_module
from tinycc.search.cost import Cost, CostModel, Device

# Of the compiler, as fields of a device.
_OPTIONS = (
    "target", "input_mode", "sram", "optimize_for", "schedule", "max_extra_macs", "kernels", "limits",
)  # fmt: skip


@dataclass(frozen=True)
class Prediction:
    """What one inference was predicted to cost, and does.

    reasons: sentences on what is not as predicted; none where both are equal.
    """

    predicted: Cost
    compiled: Cost
    reasons: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "predicted": asdict(self.predicted),
            "compiled": asdict(self.compiled),
            "reasons": list(self.reasons),
        }


def compile_options(device: Device) -> dict[str, Any]:
    """The arguments of `tinycc.compile` for a device."""
    return {name: getattr(device, name) for name in _OPTIONS}


def reported_cost(report: Report) -> Cost:
    """What a report says of an inference."""
    chosen = next(item for item in report["schedules"] if item["is_chosen"])
    return Cost(
        report["arena_bytes"], report["weight_bytes"], chosen["macs"], chosen["predicted_instructions"]
    )


def compare_with_prediction(architecture: Architecture, report: Report, device: Device) -> Prediction:
    """The costs of a compiled network beside those that its architecture has, on the device of the report."""
    compiled = reported_cost(report)
    predicted = CostModel(device).cost(architecture)
    try:
        canonical = compiler.compile(canonical_module(architecture), **compile_options(device)).report
    except BudgetError:
        return Prediction(predicted, compiled, ("it was predicted not to fit the SRAM",))
    return Prediction(predicted, compiled, tuple(_reasons(canonical, report)))


def _reasons(canonical: Report, trained: Report) -> Iterator[str]:
    """One sentence for each operator that differs, and for the schedule where that does."""
    if trained["dead_macs"]:
        yield (
            f"channels without influence are left out, which saves {trained['dead_macs']:,} "
            "multiply-accumulates"
        )
    for difference in differing_operators(canonical, trained):
        yield from _sentences(difference)


def _sentences(difference: Difference) -> Iterator[str]:
    one, other = difference.one, difference.other
    if one is None or other is None:
        yield f"{difference.name} is {'not there' if other is None else 'one operator more'}"
        return
    if one["output_shape"] != other["output_shape"]:
        channels = one["output_shape"][-1], other["output_shape"][-1]
        yield f"{difference.name} has {channels[1]} of {channels[0]} channels"
    if one["variant"] != other["variant"]:
        yield f"{difference.name} is run by the kernel {other['variant']} instead of {one['variant']}"
    if one["stage"] != other["stage"]:
        stages = [item["stage"] or "whole tensors" for item in (other, one)]
        yield f"{difference.name} is in {stages[0]} instead of {stages[1]}"
    yield from _larger_constants(difference.name, one, other)


def _larger_constants(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """Constants that differ although shapes and kernels do not, e.g. a table in place of a formula."""
    is_alike = all(one[key] == other[key] for key in ("output_shape", "variant", "macs"))
    if is_alike and one["weight_bytes"] != other["weight_bytes"]:
        yield f"{name} has {other['weight_bytes']:,} bytes of constants instead of {one['weight_bytes']:,}"
