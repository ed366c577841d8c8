"""What all tests share: the corpus of models, and the switch that makes missing tools a failure.

Environment: TINYCC_CORPUS is the folder of the corpus (default: ../shared/corpus beside the
checkout). With TINYCC_SLOW=1 tests run all cases of all models. With TINYCC_REQUIRE_EMULATORS=1 a
test that lacks its compiler or emulator fails; without, it is skipped.
"""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.tools.corpus import corpus_folder

# Threads of torch would wait for each other in the cores that other tests run on.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples on every run, and no limit on the time of one: the first compiles C.
settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("explore", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` accepts generated code as it is now."""
    parser.addoption("--update-golden", action="store_true", help="write the golden generated code anew")


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real models and their golden outputs; skips the test where it is absent."""
    folder = corpus_folder()
    if not folder.is_dir():
        pytest.skip(f"no corpus at {folder} (set TINYCC_CORPUS)")
    return folder


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], str]:
    """A function from the name of a command to its path, for a test that cannot do without it.

    Where the command is missing it skips the test, or fails it if TINYCC_REQUIRE_EMULATORS=1.
    """

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is None:
            message = f"{name} is not installed (make tools)"
            if os.environ.get("TINYCC_REQUIRE_EMULATORS") == "1":
                pytest.fail(message)
            pytest.skip(message)
        return path

    return find


@pytest.fixture(scope="session")
def require_core(require_tool: Callable[[str], str]) -> Callable[[str], None]:
    """A function that skips the test, or fails it, where the compiler or emulator of a core is missing."""

    def require(core: str) -> None:
        from tinycc.target import TARGETS

        target = TARGETS[core]
        for tool in {f"{target.compiler}gcc", *(board.emulator for board in target.boards)}:
            require_tool(tool)

    return require


@dataclass(frozen=True)
class Compiled:
    """A generated folder and its report. Tests share it: they only read."""

    folder: Path
    report: dict[str, Any]


CompileOnce = Callable[..., Compiled]


@pytest.fixture(scope="session")
def compile_once(tmp_path_factory: pytest.TempPathFactory) -> CompileOnce:
    """`compile_once(path, **options)` compiles a model and writes its folder, once in a session."""
    done: dict[tuple[object, ...], Compiled] = {}

    def compile_model(path: Path, **options: Any) -> Compiled:
        key = (path, *sorted(options.items()))
        if key not in done:
            import tinycc

            model = tinycc.compile(path, **options)
            folder = tmp_path_factory.mktemp("compiled") / "model"
            model.export(folder)
            done[key] = Compiled(folder, model.report)
        return done[key]

    return compile_model
