"""Blocks that split channels run row by row: less memory, and the outputs of the integer reference."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import tinycc
from tests.frontend.torch_tools import EveryOperator, output_steps, quantized_program, random_case
from tests.reference.interpreter import run_tflite
from tests.tools.cut_stages import CutStages
from tests.tools.split_blocks import Blocks, c2f, shufflenet_unit
from tinycc.ops.stage import Grid
from tinycc.passes.pipeline import default_passes

BLOCKS = {"C2f": c2f, "ShuffleNetV2 unit": shufflenet_unit}
# What must be saved of the memory of whole tensors.
SAVED = 0.3


class Unit(torch.nn.Module):
    """That of ShuffleNetV2, channels split with chunk."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = torch.nn.Conv2d(16, 16, 1), torch.nn.Conv2d(16, 16, 1)
        self.wide = torch.nn.Conv2d(8, 8, 3, padding=1, groups=8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept, worked = torch.relu(self.first(x)).chunk(2, 1)
        joined = torch.cat([kept, torch.relu(self.wide(worked))], 1)
        shuffled = joined.view(1, 2, 8, 16, 16).transpose(1, 2).reshape(1, 16, 16, 16)
        return torch.relu(self.last(shuffled)).mean([2, 3])


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


def test_a_torch_unit_streams_with_one_copy_for_the_shuffle() -> None:
    torch.manual_seed(0)
    program = quantized_program(Unit(), [(1, 16, 16, 16)], EveryOperator())
    whole = tinycc.compile(program, schedule="whole").plan
    least = tinycc.compile(program, optimize_for="memory")
    kinds = [step.operator.kind for step in whole.steps]
    assert kinds.count("strided_copy") == 3 and "fallback" not in kinds
    assert least.plan.arena_bytes <= (1 - SAVED) * whole.arena_bytes
    histogram = output_steps(program, least, [random_case([(1, 16, 16, 16)], seed) for seed in range(2)])
    assert set(histogram) <= {0, 1}


def test_uneven_parts_and_rows_of_their_own(tmp_path: Path) -> None:
    """SPLIT_V of channels, and UNPACK of rows."""
    net = Blocks()
    x, two, six = net.value(1, 3, 4, 8), net.value(1, 3, 4, 2), net.value(1, 3, 4, 6)
    sizes, axis = net.constant(np.array([2, 6], np.int32)), net.constant(np.array(3, np.int32))
    net.net.add_operator(
        "SPLIT_V", [x.index, sizes, axis], [two.index, six.index], "SplitVOptions", NumSplits=2
    )
    joined = net.joined(six, two)
    rows = [net.value(1, 4, 8) for _ in range(3)]
    indices = [row.index for row in rows]
    net.net.add_operator("UNPACK", [joined.index], indices, "UnpackOptions", Num=3, Axis=1)
    model = compiled(net.net.finish([x.index], indices[::-1]), tmp_path, schedule="stream")
    assert [len(step.members) for step in model.plan.steps] == [3, 0, 0, 0]
    case = np.random.default_rng(0).integers(-128, 128, (1, 1, 3, 4, 8)).astype(np.int8)
    moved = np.concatenate([case[..., 2:], case[..., :2]], -1)
    for row, output in enumerate(reversed(model.run([case]))):
        np.testing.assert_array_equal(output[0], moved[0, :, row])
