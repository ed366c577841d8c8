"""Constants in flash: at most a tenth more than a model's own, whatever the core and the schedule."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.peer_figures import PEERS
from tests.conftest import CompileOnce
from tests.tools.corpus import read_table
from tinycc.run.toolchain import find_tool, run_tool, section_sizes
from tinycc.target import TARGETS

MOST_OF_WEIGHTS = 1.1


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m55"])
@pytest.mark.parametrize("optimize_for", ["latency", "memory"])
@pytest.mark.parametrize("name", [peer.model for peer in PEERS])
def test_constants_are_few_beside_the_weights(
    name: str,
    optimize_for: str,
    core: str,
    corpus: Path,
    compile_once: CompileOnce,
    tmp_path: Path,
    require_tool: Callable[[str], str],
) -> None:
    """As the linker lays them out, gaps included."""
    target = TARGETS[core]
    require_tool(f"{target.compiler}gcc")
    options = {"target": core, "optimize_for": optimize_for}
    folder = compile_once(corpus / "tflite" / "int8" / f"{name}.tflite", **options).folder
    roots = [f"-Wl,-u,model_{part}" for part in ("input", "invoke", "output", "reset")]
    command = [find_tool(f"{target.compiler}gcc", target.packages), *target.flags, "-std=c99", "-O2"]
    command += ["-ffunction-sections", "-fdata-sections", "-nostdlib", "-Wl,--gc-sections", *roots]
    command += ["-Wl,-e,model_invoke", "-Wl,--unresolved-symbols=ignore-all"]
    run_tool([*command, str(folder / "model.c"), "-o", "model.elf"], "linking the model", where=tmp_path)
    sizes = section_sizes(target, tmp_path / "model.elf")
    assert 0 < sizes.const + sizes.data <= MOST_OF_WEIGHTS * read_table(corpus)[name].weights
