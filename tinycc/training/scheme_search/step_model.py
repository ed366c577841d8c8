"""What schemes need, and what they may: memory of inference and step, and instructions of a step."""

from dataclasses import dataclass, replace

from tinycc.training.scheme_search.contribution import Parts
from tinycc.training.scheme_search.instruction_model import InstructionModel
from tinycc.training.scheme_search.memory_model import MemoryModel


@dataclass(frozen=True)
class Budget:
    """bytes: of one arena. instructions: of a step, as they are predicted; None for any number."""

    bytes: int
    instructions: int | None = None

    def __str__(self) -> str:
        """As messages have it."""
        limit = "" if self.instructions is None else f" and {self.instructions:,} instructions of a step"
        return f"{self.bytes:,} bytes{limit}"


@dataclass(frozen=True)
class Needs:
    """What a scheme needs of both."""

    bytes: int
    instructions: int

    def fit(self, budget: Budget) -> bool:
        """Whether that is no more than the budget."""
        is_quick = budget.instructions is None or self.instructions <= budget.instructions
        return is_quick and self.bytes <= budget.bytes


@dataclass(frozen=True, eq=False)
class StepModel:
    """Sums that tell what schemes need at the least."""

    memory: MemoryModel
    instructions: InstructionModel

    def least(self, parts: Parts) -> Needs:
        """What nothing less will do for."""
        return Needs(self.memory.least_bytes(parts), self.instructions.least_instructions(parts))

    def of_depth(self, depth: int) -> "StepModel":
        """Of schemes that train so many biases alone."""
        return StepModel(
            replace(self.memory, moments={depth: self.memory.moments[depth]}),
            replace(self.instructions, steps={depth: self.instructions.steps[depth]}),
        )
