"""What parts of a network gain: measured like any run, broken off and gone on with, kept apart by setup."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the simulation needs the extra tinycc[torch]")

from tests.tools.training_graphs import training_graph
from tinycc.errors import InputDataError, TinyccError, TrainingError
from tinycc.training.scheme_search.contribution import Contributions, Parts
from tinycc.training.scheme_search.measure import measure_contributions, measure_together, split
from tinycc.training.simulation import Data, IntegerNetwork, Run, cosine, simulate

CASES = 32
OPTIONS: dict[str, Any] = {
    "deepest": 3,
    "shares": (0.5, 1.0),
    "seeds": (0, 1),
    "epochs": 2,
    "rates": (0.003, 0.03),
}


@pytest.fixture(scope="module")
def network() -> IntegerNetwork:
    return IntegerNetwork.load(training_graph(1))


@pytest.fixture(scope="module")
def parts() -> tuple[Data, Data]:
    random = np.random.default_rng(0)
    images = random.integers(-128, 128, (CASES, 8, 8, 3), dtype=np.int8)
    return split(Data([images], random.integers(0, 4, CASES)), 0.25)


@pytest.fixture(scope="module")
def measured(network: IntegerNetwork, parts: tuple[Data, Data]) -> Contributions:
    return measure_contributions(network, *parts, **OPTIONS)


def test_a_quarter_is_held_out(parts: tuple[Data, Data]) -> None:
    assert [len(data.targets) for data in parts] == [24, 8]
    images = np.concatenate([data.inputs[0] for data in parts])
    assert len(np.unique(images.reshape(CASES, -1), axis=0)) == CASES


def test_scores_are_those_of_a_simulation(
    network: IntegerNetwork, parts: tuple[Data, Data], measured: Contributions
) -> None:
    name = list(network.layers)[-2]
    for part in (Parts(1, {}), Parts(2, {}), Parts(3, {name: 0.5})):
        runs = [Run(seed, rate, part.scheme(network.layers)) for rate in (0.003, 0.03) for seed in (0, 1)]
        alone = simulate(network, *parts, runs=runs, epochs=2, batch=4, schedule=cosine)
        scores = np.reshape([run.accuracies[-1] for run in alone], (2, 2))
        # Sums of gradients may have another order beside other runs.
        assert np.abs(np.asarray(measured.scores[part.name]) - scores).max() <= 1 / 8


def test_gains_are_differences_of_the_best_rates() -> None:
    scores = {
        "biases of 1": [[0.2, 0.4], [0.1, 0.1]],
        "biases of 2": [[0.5, 0.6], [0.0, 0.0]],
        "biases of 2, 0.5 of conv2d_0": [[0.0, 0.0], [0.6, 0.9]],
    }
    found = Contributions({}, [1, 2], {"conv2d_0": [0.5]}, scores, 2**40)
    assert found.head.mean == pytest.approx(0.3)
    assert (found.biases(2).mean, found.biases(2).error) == (pytest.approx(0.25), pytest.approx(0.05))
    assert (found.weights("conv2d_0", 0.5).mean, found.weights("conv2d_0", 0.5).error) == (
        pytest.approx(0.2),
        pytest.approx(0.1),
    )
    total = found.gain(Parts(2, {"conv2d_0": 0.5}))
    assert (total.mean, total.error, total.sure) == pytest.approx((0.45, 0.15, 0.3))


def test_errors_are_of_seeds_and_of_held_out_cases() -> None:
    """The latter are checked against draws."""
    scores = {"biases of 1": [[0.6, 0.6]], "biases of 2": [[0.8, 0.8]]}
    found = Contributions({}, [1, 2], {}, scores, 50)
    draws = np.random.default_rng(0).binomial(50, [[0.6, 0.8]], (20000, 2)) / 50
    assert found.head.error == pytest.approx(draws[:, 0].std(), rel=0.02)
    assert found.biases(2).error == pytest.approx((draws[:, 1] - draws[:, 0]).std(), rel=0.02)
    assert replace(found, scores={name: [told[0][:1]] for name, told in scores.items()}).biases(
        2
    ).error == pytest.approx(found.biases(2).error)
    spread = replace(found, scores={**scores, "biases of 2": [[0.7, 0.9]]})
    assert spread.biases(2).error ** 2 == pytest.approx(found.biases(2).error ** 2 + 0.1**2)
    assert found.biases(1).error == 0.0  # the same network twice


def stopping_after(count: int) -> Any:
    """Progress that is broken off."""

    def progress(items: Sequence[Any], _description: str) -> Iterable[Any]:
        yield from items[:count]
        raise KeyboardInterrupt

    return progress


def test_it_goes_on_where_it_was_broken_off(
    network: IntegerNetwork, parts: tuple[Data, Data], measured: Contributions, tmp_path: Path
) -> None:
    path, left = tmp_path / "kept.json", []
    with pytest.raises(KeyboardInterrupt):
        measure_contributions(network, *parts, **OPTIONS, path=path, progress=stopping_after(2))
    assert len(Contributions.load(path).scores) == 2

    def counted(items: Sequence[Any], _description: str) -> Iterable[Any]:
        left.append(len(items))
        return items

    found = measure_contributions(network, *parts, **OPTIONS, path=path, progress=counted)
    assert left == [3]  # biases of a third depth, and two layers
    assert found == measured == Contributions.load(path)
    more = measure_contributions(
        network, *parts, **OPTIONS | {"shares": (0.25, 0.5, 1.0)}, path=path, progress=counted
    )
    assert left == [3, 2]
    assert {name: more.scores[name] for name in found.scores} == found.scores


def test_schemes_are_measured_as_contributions_were(
    network: IntegerNetwork, parts: tuple[Data, Data], measured: Contributions, tmp_path: Path
) -> None:
    path = tmp_path / "kept.json"
    first, second = (Parts(3, {name: 0.5}) for name in list(network.layers)[-3:-1])
    both = Parts(3, {**first.shares, **second.shares})
    found = measure_together(measured, [first, both], network, *parts, path=path)
    assert set(found.scores) - set(measured.scores) == {both.name}
    assert found == Contributions.load(path)
    base = np.asarray(found.scores["biases of 1"])
    best = max(np.asarray(found.scores[both.name]), key=np.mean).mean()
    assert found.together(both).mean == pytest.approx(best - base.mean(1).max())
    with pytest.raises(TrainingError, match="measured with other held out"):
        measure_together(measured, [both], network, parts[0], parts[0])


def test_a_file_of_another_measurement_is_refused(
    network: IntegerNetwork, parts: tuple[Data, Data], measured: Contributions, tmp_path: Path
) -> None:
    path = tmp_path / "kept.json"
    measured.save(path)
    before = path.read_bytes()
    others = replace(parts[0], targets=(parts[0].targets + 1) % 4)
    for given, options, what in (
        ((others, parts[1]), OPTIONS, "data"),
        (parts, OPTIONS | {"seeds": (0, 2), "rates": (0.01, 0.1)}, "seeds, rates"),
        (parts, OPTIONS | {"gradients": "integer"}, "gradients"),
    ):
        with pytest.raises(
            TrainingError, match=rf"kept\.json holds .* another measurement \({what} differ\)"
        ):
            measure_contributions(network, *given, **options, path=path)
    with pytest.raises(TrainingError, match=r"another measurement \(layers, weights differ\)"):
        measure_contributions(training_graph(2), *parts, **OPTIONS, path=path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["", "[]", '{"format": 9}', '{"format": 2, "setup": {}}'])
def test_a_file_that_holds_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "kept.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(TrainingError, match=r"kept\.json holds no contributions"):
        Contributions.load(path)


def test_what_cannot_be_measured(network: IntegerNetwork, parts: tuple[Data, Data]) -> None:
    learned, held_out = parts
    cases: list[tuple[type[TinyccError], str, Data, dict[str, Any]]] = [
        (InputDataError, "from 0 to 3", replace(learned, targets=learned.targets + 1), {}),
        (InputDataError, "has no cases", Data([learned.inputs[0][:0]], learned.targets[:0]), {}),
        (TrainingError, "99 layers cannot be looked at: the model has", learned, {"deepest": 99}),
        (TrainingError, "of 1 to 3 layers, not of .*7", learned, {"depths": (2, 7)}),
        (TrainingError, "a batch of 64 cannot be had of 24 cases", learned, {"batch": 64}),
    ]
    for error, message, data, options in cases:
        with pytest.raises(error, match=message):
            measure_contributions(network, data, held_out, **OPTIONS | options)
    with pytest.raises(InputDataError, match="of 3 cases none can be held out"):
        split(Data([np.zeros((3, 2))], np.arange(3)), 0.25)
    with pytest.raises(InputDataError, match="there are 2 labels for 3 cases"):
        split(Data([np.zeros((3, 2))], np.arange(2)), 0.25)


def test_what_is_missing_is_named(measured: Contributions) -> None:
    with pytest.raises(TrainingError, match="not measured to the end: biases of 7 is missing"):
        measured.biases(7)
