"""No counted figure of a few quick models may grow by more than 1 % over benchmarks/baseline.json.

Counts are exact for a given compiler, so with another one there is nothing to compare.
`python -m benchmarks.instructions --update-baseline` accepts today's figures.
"""

import os
from collections.abc import Callable

import pytest

from benchmarks.baseline import CORES, OF_CORPUS, Figures, figures_of, grown, model_paths, read_baseline
from benchmarks.records import compiler_version
from tinycc.target import TARGETS

UPDATE = "python -m benchmarks.instructions --update-baseline"


@pytest.mark.emulator
@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", model_paths())
def test_no_figure_grows(
    name: str, core: str, require_tool: Callable[[str], str], request: pytest.FixtureRequest
) -> None:
    if name in OF_CORPUS:
        request.getfixturevalue("corpus")
    target = TARGETS[core]
    for tool in (f"{target.compiler}gcc", target.boards[0].emulator):
        require_tool(tool)
    compiler, baseline = read_baseline(core)
    if compiler_version(target) != compiler:
        message = f"the baseline was made with {compiler}, here is {compiler_version(target)}: {UPDATE}"
        if os.environ.get("TINYCC_REQUIRE_EMULATORS") == "1":
            pytest.fail(message)
        pytest.skip(message)
    lines = grown(baseline[name], figures_of(model_paths()[name], core))
    assert not lines, f"{'; '.join(lines)}. If that is meant: {UPDATE}"


@pytest.mark.parametrize("core", CORES)
def test_the_baseline_has_every_model(core: str) -> None:
    assert list(read_baseline(core)[1]) == list(model_paths())


def test_growth_within_one_percent_passes() -> None:
    assert grown(Figures(1000, 1000, 1000, 1000, 100), Figures(1010, 900, 1000, 1000, 101)) == []


def test_each_figure_that_grows_is_named() -> None:
    lines = grown(Figures(1000, 1000, 1000, 1000, 100), Figures(1011, 1000, 1000, 1011, 100))
    assert lines == ["instructions: 1,000 -> 1,011 (+1.1%)", "arena_bytes: 1,000 -> 1,011 (+1.1%)"]
