"""How weights and biases change in a training step."""

from dataclasses import dataclass
from typing import Literal

from tinycc.errors import TrainingError

Rounding = Literal["stochastic", "nearest"]


@dataclass(frozen=True)
class UpdateRule:
    """How weights and biases change.

    seed: of the random numbers that decide between two neighbouring integers.
    rounding: "stochastic", or "nearest", by which changes of less than half a step are lost.
    is_scaled: whether gradients are scaled by the square of the weights' scales (quantization-aware scaling).
    momentum: of stochastic gradient descent, from 0 to less than 1.
    batch: of how many examples, one step each, the mean gradient is taken before weights change.

    Momentum and mini-batches need a velocity, of four bytes, for each weight and bias that trains.
    Raises TrainingError for a momentum or a batch that cannot be.
    """

    seed: int = 0
    rounding: Rounding = "stochastic"
    is_scaled: bool = True
    momentum: float = 0.0
    batch: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.momentum < 1:
            raise TrainingError(f"a momentum cannot be {self.momentum}: give 0 or more, and less than 1")
        if self.batch < 1:
            raise TrainingError(f"a batch of {self.batch} examples cannot be: give 1 or more")

    @property
    def has_velocities(self) -> bool:
        """Whether anything but the example of a step has a part in its change."""
        return self.momentum > 0 or self.batch > 1


DEFAULT_RULE = UpdateRule()
