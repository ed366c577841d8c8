"""What an architecture costs on a microcontroller, answered by the compiler itself.

The same candidates, search, planner and cost model that compile are asked about a graph whose operators have
no weights. The answer is what `tinycc.compile` reports for the network with canonical weights
(`tinycc.search.canonical`).
"""

from dataclasses import dataclass, replace
from typing import Any

from tinycc.graph import OperatorGraph
from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.ops.base import Operator
from tinycc.ops.kernel_call import KernelCall
from tinycc.ops.stage import Stage
from tinycc.passes.pipeline import InputMode, KernelChoice
from tinycc.schedule.choose import Choice, choose, choose_within
from tinycc.schedule.growing import GrownStage
from tinycc.schedule.options import Objective, read_options
from tinycc.search.architecture import Architecture
from tinycc.search.weightless import weightless_graph
from tinycc.target import parse_size, target_named

# After so many networks what is remembered of them is forgotten, so that it does not fill the memory.
_MOST_NETWORKS = 128


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


@dataclass(frozen=True)
class Device:
    """For what a network is compiled; all fields are options of `tinycc.compile`.

    Weights are not widened, so `flash` is none of them.
    """

    target: str = "cortex-m4"
    input_mode: InputMode = "tensor"
    sram: str | int | None = None
    optimize_for: Objective = "latency"
    schedule: str = "auto"
    max_extra_macs: str | None = None
    kernels: KernelChoice = "auto"
    limits: SearchLimits = DEFAULT_LIMITS


class CostModel:
    """Costs on one device; what was found out of a network is remembered for others like it."""

    def __init__(self, device: Device) -> None:
        """Raises a tinycc.errors.TinyccError where an option is wrong."""
        self.device = device
        sram = None if device.sram is None else parse_size(str(device.sram))
        options = read_options(device.optimize_for, device.schedule, sram, device.max_extra_macs)
        self._options = replace(options, limits=device.limits)
        self._core = target_named(device.target)
        self._features = self._core.features if device.kernels == "auto" else ()
        self._tree = GrownStage()
        self._count = 0

    def cost(self, architecture: Architecture) -> Cost:
        """What a network costs; where it does not fit the memory, that with the least.

        Raises a tinycc.errors.TinyccError where the schedule that was asked for is impossible.
        """
        choice = choose(self._graph(architecture), self._options, self._tree)
        assert choice is not None
        return self._cost(choice)

    def cost_within(self, architecture: Architecture) -> Cost | None:
        """The same, None where it does not fit the memory: sooner than `cost`."""
        if self._options.form != "auto" or self._options.objective == "memory":
            found = self.cost(architecture)
            sram = self._options.sram_bytes
            return found if sram is None or found.sram_bytes <= sram else None
        choice = choose_within(self._graph(architecture), self._options, self._tree)
        return None if choice is None else self._cost(choice)

    def _graph(self, architecture: Architecture) -> OperatorGraph:
        self._count += 1
        if self._count % _MOST_NETWORKS == 0:
            self._tree = GrownStage()
        is_fed = self.device.input_mode == "rows"
        return weightless_graph(
            architecture, self._features, self._core.instruction_set, is_fed, self.device.limits
        )

    def _cost(self, choice: Choice) -> Cost:
        constants = sum(constant_bytes(node.view) for node in choice.graph.nodes)
        arena = choice.space.arena_of(choice.schedule)
        return Cost(arena, constants, choice.schedule.macs, choice.schedule.instructions)


def cost(
    architecture: Architecture, target: str = "cortex-m4", input_mode: InputMode = "tensor", **options: Any
) -> Cost:
    """What a network of this architecture costs; options: the other fields of `Device`."""
    return CostModel(Device(target, input_mode, **options)).cost(architecture)


def constant_bytes(operator: Operator) -> int:
    """Flash that the constants of an operator or a stage take."""
    if isinstance(operator, Stage):
        calls = sum(call.data_bytes for call in operator.calls)
        return calls + operator.table_bytes
    call = operator.call()
    return call.data_bytes if isinstance(call, KernelCall) else 0
