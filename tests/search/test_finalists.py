"""Networks that are trained alone, as the supernet cannot tell which is better."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the search needs the extra tinycc[search]")

from tests.search.digits import digits
from tests.search.supernet.digits import SPACE
from tinycc.errors import TinyccError
from tinycc.search.cost import Cost
from tinycc.search.finalists import finalists, trained_finalists
from tinycc.search.front import Candidate
from tinycc.search.retraining import TrainingOptions

TRAIN, TEST, _ = digits()
TRAINING = TrainingOptions(epochs=3, batch=32)


def candidate(accuracy: float, macs: int) -> Candidate:
    return Candidate((macs,), accuracy, Cost(1, 1, macs, macs))


def test_the_best_of_each_part_of_what_computes_more_and_less() -> None:
    small, larger = [candidate(0.70, 1), candidate(0.71, 2)], [candidate(0.72, 3), candidate(0.69, 4)]
    assert finalists(small + larger, 100, 2) == [small[1], larger[0]]


def test_what_held_out_cases_tell_from_the_best_is_none_of_them() -> None:
    best, near, far = candidate(0.9, 2), candidate(0.85, 3), candidate(0.5, 1)
    assert finalists([far, near, best], 100, 2) == [best, near]


def test_there_are_as_many_as_asked_for_if_one_is_far_ahead() -> None:
    best, far, farther = candidate(0.9, 2), candidate(0.5, 3), candidate(0.4, 1)
    assert finalists([far, farther, best], 100, 2) == [best, far]
    assert finalists([best], 100, 2) == [best]


class StoppedError(Exception):
    """What breaks it off."""


def test_training_that_was_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "finalists.json"
    genomes = [SPACE.smallest(), SPACE.largest()]
    candidates = [Candidate(genome, 0.5, Cost(1, 1, 1, 1)) for genome in genomes]
    whole = trained_finalists(SPACE, candidates, TRAIN, TEST, TRAINING)
    assert [item.candidate for item in whole] == candidates
    assert all(item.accuracy > 0.3 for item in whole)

    def stopping(items: Iterable[Any], _name: str) -> Iterable[Any]:
        """After the first."""
        for item in items:
            yield item
            raise StoppedError

    with pytest.raises(StoppedError):
        trained_finalists(SPACE, candidates, TRAIN, TEST, TRAINING, path=path, progress=stopping)
    assert trained_finalists(SPACE, candidates, TRAIN, TEST, TRAINING, path=path) == whole
    with pytest.raises(TinyccError, match=r"finalists.json is of another search"):
        trained_finalists(SPACE, candidates, TRAIN, TEST, replace(TRAINING, epochs=4), path=path)
