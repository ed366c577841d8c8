"""Random graphs equal the integer reference, whatever the plan; nothing is written outside the arena."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st

import tinycc
from tests.reference.interpreter import run_tflite
from tests.tools.corpus import SLOW
from tests.tools.cut_stages import CutStages
from tests.tools.random_graphs import random_model
from tinycc.ops.stage import Grid
from tinycc.passes.pipeline import default_passes
from tinycc.run import run
from tinycc.schedule.options import ScheduleOptions

SEEDS = st.integers(0, 2**31)
CASES = 2

# The ways in which a plan can differ, by the passes that are left out.
LEFT_OUT: dict[str, set[str]] = {
    "default": set(),
    "row by row": set(),
    "least memory": set(),
    "row by row, nothing in place": {"RewriteInPlace"},
    "2x3 strips and bands": set(),
    "3x3 patches": set(),
    "nothing in place": {"RewriteInPlace"},
    "the file's order": {"OrderOperators"},
    "padding and transposes as they are": {"FoldPadding", "EliminateTransposes"},
    "plain": {"RewriteInPlace", "OrderOperators", "FoldPadding", "EliminateTransposes"},
}

CUT = {"2x3 strips and bands": Grid(2, 3), "3x3 patches": Grid(3, 3, by_layers=True)}


def features_for(seed: int) -> tuple[str, ...]:
    """Whose kernels are used; they run on every core."""
    return ((), ("dsp",), ("dsp", "helium"))[seed // 2 % 3]


def passes_for(option: str, features: tuple[str, ...] = ()) -> list[tvm.transform.Pass]:
    schedule = ScheduleOptions(
        objective="memory" if option == "least memory" else "latency",
        form="stream" if option.startswith("row by row") else "auto",
    )
    all_passes = default_passes("int8", schedule, features)
    passes = [item for item in all_passes if item.info.name not in LEFT_OUT[option]]
    return [*passes[:-1], CutStages(CUT[option])] if option in CUT else passes


def check(seed: int, folder: Path, option: str, *, on: str = "host", sanitize: bool = False) -> None:
    """Compile and run on random inputs; every output of every case equals the reference's."""
    model, passes = random_model(seed), passes_for(option, features_for(seed))
    folder.mkdir()
    (folder / "model.tflite").write_bytes(model.content)
    tinycc.compile(folder / "model.tflite", passes=passes).export(folder / "out")
    inputs = model.cases(np.random.default_rng(1), CASES)
    outputs = run(folder / "out", on, inputs, sanitize=sanitize).outputs
    for case in range(CASES):
        expected = run_tflite(model.content, [array[case : case + 1] for array in inputs])
        for output, wanted in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(output[case].reshape(-1), np.asarray(wanted).reshape(-1), option)


@settings(max_examples=2000 if SLOW else 20)
@given(seed=SEEDS)
def test_random_graphs_under_sanitizers(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Address and undefined-behaviour sanitizers and guard zones at the arena."""
    option = "default" if seed % 2 else "row by row"
    check(seed, tmp_path_factory.mktemp("graph") / "model", option, sanitize=True)


@pytest.mark.parametrize("option", [option for option in LEFT_OUT if option != "default"])
@settings(max_examples=500 if SLOW else 5)
@given(seed=SEEDS)
def test_random_graphs_under_every_plan(
    option: str, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    check(seed, tmp_path_factory.mktemp("graph") / "model", option)


@pytest.mark.parametrize("core", ["cortex-m0", "cortex-m4", "rv32imc"])
@settings(max_examples=100 if SLOW else 3)
@given(seed=SEEDS)
def test_random_graphs_on_a_core(
    core: str, seed: int, require_tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    require_tool("qemu-system-riscv32" if core == "rv32imc" else "qemu-system-arm")
    option = "default" if seed % 2 else "row by row"
    check(seed, tmp_path_factory.mktemp("graph") / "model", option, on=core)


def test_random_graphs_are_varied(tmp_path: Path) -> None:
    """The generator reaches the whole operator set, and its outputs are not all at the limits of int8."""
    kinds: set[str] = set()
    inside = []
    for seed in range(60):
        model = random_model(seed)
        inputs = model.cases(np.random.default_rng(seed), 1)
        outputs = run_tflite(model.content, inputs)
        inside += [bool(np.any(np.abs(np.asarray(output, np.int64)) < 127)) for output in outputs]
        (tmp_path / "model.tflite").write_bytes(model.content)
        kinds |= {step.operator.kind for step in tinycc.compile(tmp_path / "model.tflite").plan.steps}
    assert kinds >= {
        *(
            "add",
            "average_pool2d",
            "concatenate",
            "conv2d",
            "dense",
            "depthwise_conv2d",
            "extremum",
            "lookup",
        ),
        *("max_pool2d", "multiply", "pad", "reduce", "requantize", "resize_bilinear", "resize_nearest"),
        *("softmax", "strided_copy"),
    }
    assert np.mean(inside) > 0.8
