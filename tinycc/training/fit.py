"""Training a compiled folder on the host or on an emulated board, epoch by epoch."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tinycc.errors import InputDataError
from tinycc.run import train
from tinycc.training.mark_trainable import SKIPPED

RateSchedule = Literal["constant", "cosine"]


@dataclass(frozen=True, eq=False)
class Curve:
    """How training went.

    losses: the mean loss of each epoch, each example's before its step.
    accuracies: share of the test examples that are right, before the first step and after those that
        `tested_after` counts; [] without a test.
    instructions: of a case, on average; None on the host.
    states: what was trained, by name.
    skipped: steps whose loss, rate or gradients overflowed, and which left weights as they were.
    """

    losses: list[float]
    accuracies: list[float]
    tested_after: list[int]
    board: str
    instructions: int | None
    states: dict[str, np.ndarray]
    skipped: int

    def to_json(self) -> dict[str, Any]:
        """All of it but the states."""
        return {name: value for name, value in asdict(self).items() if name != "states"}


def fit(
    folder: Path,
    inputs: Sequence[np.ndarray],
    labels: np.ndarray,
    *,
    on: str = "host",
    epochs: int = 1,
    rate: float = 0.01,
    schedule: RateSchedule = "constant",
    seed: int = 0,
    test: tuple[Sequence[np.ndarray], np.ndarray] | None = None,
    test_every: int | None = None,
) -> Curve:
    """Take a step with each example, in another order each epoch.

    folder: made by tinycc.training.compile. inputs, labels: as for `tinycc.run.train`.
    rate, schedule: "constant", or "cosine", which falls from the rate to 0.
    seed: of the orders. test: inputs and labels that are not learned from.
    test_every: after how many steps they are tested, and after the last one; after each epoch if None.
    Raises InputDataError, and what `tinycc.run.train` does.
    """
    if epochs < 1:
        raise InputDataError(f"{epochs} epochs: give 1 or more")
    if test_every is not None and test_every < 1:
        raise InputDataError(f"a test after {test_every} steps: give 1 or more")
    if not len(labels) or any(len(array) != len(labels) for array in inputs):
        raise InputDataError(
            f"{len(labels)} labels for {', '.join(str(len(item)) for item in inputs)} examples"
        )
    generator = np.random.default_rng(seed)
    order = np.concatenate([generator.permutation(len(labels)) for _ in range(epochs)])
    tested_after = [*range(0, len(order), test_every or len(labels)), len(order)]
    count = 0 if test is None else len(test[1])
    pool = [array if test is None else np.concatenate([array, more]) for array, more in _paired(inputs, test)]
    told = labels if test is None else np.concatenate([labels, test[1]])
    tested = np.arange(len(labels), len(labels) + count)
    cases = np.insert(order, np.repeat(tested_after, count), np.tile(tested, len(tested_after)))
    is_tested = cases >= len(labels)
    result = train(
        folder,
        on,
        [array[cases] for array in pool],
        told[cases],
        _rates(rate, schedule, np.cumsum(~is_tested) / len(order)),
        is_tested=is_tested,
    )
    answers = result.outputs[0].reshape(-1)
    rounds: Iterable[np.ndarray] = answers[is_tested].reshape(len(tested_after), -1) if count else []
    assert result.states is not None
    return Curve(
        losses=[float(losses.mean()) for losses in answers[~is_tested].reshape(epochs, -1)],
        accuracies=[float(right.mean()) for right in rounds],
        tested_after=tested_after if count else [],
        board=result.board,
        instructions=result.instructions,
        states=result.states,
        skipped=int(result.states[SKIPPED][0]),
    )


def _paired(
    inputs: Sequence[np.ndarray], test: tuple[Sequence[np.ndarray], np.ndarray] | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    if test is None:
        return [(array, array[:0]) for array in inputs]
    if len(test[0]) != len(inputs):
        raise InputDataError(f"the test has {len(test[0])} inputs, the examples have {len(inputs)}")
    return list(zip(inputs, test[0], strict=True))


def _rates(rate: float, schedule: RateSchedule, progress: np.ndarray) -> np.ndarray:
    """The rate of each case, float32. progress: from 0 to 1."""
    factor = np.ones_like(progress) if schedule == "constant" else (1 + np.cos(np.pi * progress)) / 2
    return (rate * factor).astype(np.float32)
