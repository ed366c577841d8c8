"""Mutated model files are compiled or refused: no traceback, no crash, no hang, nothing half-written."""

import os
import random
from collections import Counter
from pathlib import Path

import pytest

from tests.tools.corpus import SLOW
from tests.tools.mutation_runs import COMPILED, FAULT, Seed, project_seeds, run_mutations
from tests.tools.mutations import mutated
from tinycc.errors import ModelError

MUTATIONS = 3000 if SLOW else 300


def test_mutated_files_are_compiled_or_refused() -> None:
    seeds = project_seeds()
    jobs = [(seeds[number % len(seeds)], number) for number in range(MUTATIONS)]
    endings = list(run_mutations(jobs, build_every=25))
    faults = [
        f"{ending.seed.name}.{ending.seed.form} {ending.number}: {ending.text}"
        for ending in endings
        if ending.kind == FAULT
    ]
    assert not faults, "\n".join(faults)
    assert len(endings) == MUTATIONS
    kinds = Counter(ending.kind for ending in endings)
    assert MUTATIONS / 10 < kinds[COMPILED] < MUTATIONS / 2, kinds
    assert kinds["ModelError"] and kinds["UnsupportedError"], kinds


@pytest.mark.parametrize("form", ["tflite", "onnx"])
def test_a_mutation_is_found_again_by_its_number(form: str) -> None:
    seed = next(seed for seed in project_seeds() if seed.form == form)
    files = [mutated(form, seed.content, number) for number in range(50)]
    assert files == [mutated(form, seed.content, number) for number in range(50)]
    assert len(set(files)) > 40


@pytest.mark.parametrize("way", ["raises", "crashes", "writes"])
def test_faults_are_seen(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the other test asserts can fail."""

    def describe(path: Path) -> None:
        if way == "raises":
            raise KeyError("int8")
        if way == "crashes":
            os._exit(3)
        (path.parent / "left").touch()
        raise ModelError("noise")

    monkeypatch.setattr("tests.tools.mutation_runs.describe_model", describe)
    seed = Seed("noise", "onnx", random.Random(1).randbytes(50))
    [ending] = run_mutations([(seed, 0)])
    assert ending.kind == FAULT
    assert {"raises": "KeyError", "crashes": "ended with code", "writes": "left behind"}[way] in ending.text
