"""The comparison of ways to train, in its quick form."""

import json
from pathlib import Path

import pytest

pytest.importorskip("torchao", reason="networks are quantized by the extra tinycc[torch]")

from benchmarks import transfer_quick
from benchmarks.training_transfer import CLAIMS, measured
from benchmarks.transfer_methods import arena_bytes, largest
from benchmarks.transfer_task import Task
from tinycc.training.scheme import full, last_layers


@pytest.fixture(scope="module")
def task() -> Task:
    return transfer_quick.task("cpu")


@pytest.fixture(scope="module")
def outcomes_file(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("transfer") / "outcomes.json"
    measured(task, path)
    return path


def test_what_ought_to_hold_is_told_of_all_that_is_measured(outcomes_file: Path) -> None:
    names = {item["method"] for item in json.loads(outcomes_file.read_text())["outcomes"]}
    assert names >= {name for first, second, _ in CLAIMS for name in (first, second)}


def test_every_way_of_training_learns(task: Task, outcomes_file: Path) -> None:
    content = json.loads(outcomes_file.read_text())
    for item in content["outcomes"]:
        assert min(item["accuracies"]) > content["settings"]["before"] + 0.3, item["method"]


def test_what_is_known_is_not_measured_again(task: Task, outcomes_file: Path) -> None:
    content = json.loads(outcomes_file.read_text())
    content["outcomes"][0]["accuracies"] = [0.25, 0.25]
    path = outcomes_file.with_name("known.json")
    path.write_text(json.dumps(content))
    assert f"| {content['outcomes'][0]['method']} | 5 |  | 0.1 | 25.0 ± 0.0 |" in measured(task, path)


def test_as_many_layers_train_as_fit(task: Task) -> None:
    layers, most_bytes = task.network.layers, arena_bytes(task, full(task.network.layers)) // 4
    count = len(largest(task, last_layers, most_bytes).layers)
    assert arena_bytes(task, last_layers(layers, count)) <= most_bytes
    assert arena_bytes(task, last_layers(layers, count + 1)) > most_bytes
