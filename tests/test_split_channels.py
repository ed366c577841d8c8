"""Blocks that split channels run row by row: less memory, and the outputs of the integer reference."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tinycc
from tests.reference.interpreter import run_tflite
from tests.tools.cut_stages import CutStages
from tests.tools.split_blocks import c2f, shufflenet_unit
from tinycc.ops.stage import Grid
from tinycc.passes.pipeline import default_passes

BLOCKS = {"C2f": c2f, "ShuffleNetV2 unit": shufflenet_unit}
# What must be saved of the memory of whole tensors.
SAVED = 0.3


def compiled(content: bytes, folder: Path, grid: Grid | None = None, **options: str) -> tinycc.CompiledModel:
    path = folder / "model.tflite"
    path.write_bytes(content)
    if grid is None:
        return tinycc.compile(path, **options)  # type: ignore[arg-type]
    return tinycc.compile(path, passes=[*default_passes()[:-1], CutStages(grid)])


@pytest.mark.parametrize("block", BLOCKS)
def test_least_memory_is_far_below_whole_tensors(block: str, tmp_path: Path) -> None:
    content = BLOCKS[block](40, 32)
    whole = compiled(content, tmp_path, schedule="whole")
    least = compiled(content, tmp_path, optimize_for="memory")
    assert least.plan.arena_bytes <= (1 - SAVED) * whole.plan.arena_bytes
    assert "strided_copy" not in [step.operator.kind for step in least.plan.steps]
    case = np.random.default_rng(0).integers(-128, 128, (1, 1, 40, 40, 32)).astype(np.int8)
    [expected] = run_tflite(content, [case[0]])
    for model in (whole, least):
        np.testing.assert_array_equal(model.run([case])[0][0], expected)


@pytest.mark.parametrize(("dtype", "grid"), [("int8", Grid(2, 3)), ("int16", Grid())])
@pytest.mark.parametrize("block", BLOCKS.values())
def test_small_blocks_equal_the_reference_however_they_are_cut(
    block: Callable[[int, int, str], bytes], dtype: str, grid: Grid, tmp_path: Path
) -> None:
    content = block(9, 8, dtype)
    case = np.random.default_rng(0).integers(-128, 128, (1, 1, 9, 9, 8)).astype(dtype)
    [expected] = run_tflite(content, [case[0]])
    model = compiled(content, tmp_path, grid)
    assert any(step.members for step in model.plan.steps)
    np.testing.assert_array_equal(model.run([case])[0][0], expected)
