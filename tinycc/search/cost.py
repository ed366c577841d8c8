"""What an architecture costs on a microcontroller, answered by the compiler itself.

The same candidates, search, planner and cost model that compile are asked about a graph whose operators have
no weights. The answer is what `tinycc.compile` reports for the network with canonical weights
(`tinycc.search.canonical`).
"""

from dataclasses import dataclass, replace

from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.ops.base import Operator
from tinycc.ops.kernel_call import KernelCall
from tinycc.ops.stage import Stage
from tinycc.passes.pipeline import InputMode, KernelChoice
from tinycc.plan import plan_of
from tinycc.schedule.choose import choose
from tinycc.schedule.options import Objective, read_options
from tinycc.search.architecture import Architecture
from tinycc.search.weightless import weightless_graph
from tinycc.target import parse_size, target_named


@dataclass(frozen=True)
class Cost:
    """Of one inference.

    sram_bytes: the arena. flash_bytes: constants, without code. macs: executed, with what is computed twice.
    instructions: predicted.
    """

    sram_bytes: int
    flash_bytes: int
    macs: int
    instructions: int


def cost(
    architecture: Architecture,
    target: str = "cortex-m4",
    input_mode: InputMode = "tensor",
    *,
    sram: str | int | None = None,
    optimize_for: Objective = "latency",
    schedule: str = "auto",
    max_extra_macs: str | None = None,
    kernels: KernelChoice = "auto",
    limits: SearchLimits = DEFAULT_LIMITS,
) -> Cost:
    """What a network of this architecture costs.

    All options are those of `tinycc.compile`; weights are not widened, so `flash` is none of them.
    Raises a tinycc.errors.TinyccError where an option is wrong, or a schedule impossible.
    """
    sram_bytes = None if sram is None else parse_size(str(sram))
    options = replace(read_options(optimize_for, schedule, sram_bytes, max_extra_macs), limits=limits)
    features = target_named(target).features if kernels == "auto" else ()
    graph = weightless_graph(architecture, features, input_mode == "rows", limits)
    choice = choose(graph, options)
    assert choice is not None
    plan = plan_of(choice.graph, limits)
    steps = [step.operator for step in plan.steps]
    return Cost(
        plan.arena_bytes,
        sum(map(_constant_bytes, steps)),
        choice.schedule.macs,
        choice.schedule.instructions,
    )


def _constant_bytes(operator: Operator) -> int:
    """Flash that the constants of an operator or a stage take."""
    if isinstance(operator, Stage):
        calls = sum(call.data_bytes for call in operator.calls)
        return calls + operator.table_bytes
    call = operator.call()
    return call.data_bytes if isinstance(call, KernelCall) else 0
