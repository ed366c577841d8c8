"""Inputs fed row by row give the outputs of whole inputs to the bit, from less memory."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinycc
from benchmarks.memory import MOST_ROWS_BYTES
from tests.conftest import CompileOnce
from tests.reference.interpreter import run_tflite
from tests.tools.corpus import (
    LARGE_MACS,
    SLOW,
    as_in_file,
    every_other,
    golden_inputs,
    golden_outputs,
    load_arrays,
    read_table,
    stems,
)
from tests.tools.random_graphs import RandomModel, random_model
from tinycc.compiler import CompiledModel
from tinycc.errors import UnsupportedError
from tinycc.run import RunResult, run

MODELS = stems("tflite/int8/*.tflite")

# What is not an image, or not alone.
REFUSED = {
    "mlperf_ad_ae_int8": r"\[1,640\] is no image",
    "tflm_hello_world_int8": r"\[1,1\] is no image",
    "tflm_keyword_scrambled": r"\[1,96\] is no image",
    "tflm_keyword_scrambled_8bit": r"\[1,96\] is no image",
    "tflm_mnist_lstm_int8": r"\[1,28,28\] is no image",
    "tflm_simple_add": "the model has 2 inputs",
}

# The arena at most, in bytes, with the least memory.
MOST_BYTES = {
    **MOST_ROWS_BYTES,
    "mlperf_kws_dscnn_int8": 5_000,
    "tflm_micro_speech_int8": 600,
}


def check_outputs(
    name: str, corpus: Path, compile_once: CompileOnce, on: str, count: int, **options: str | bool
) -> RunResult:
    """Compile for rows, run golden inputs, compare every byte."""
    compiled = compile_once(corpus / "tflite" / "int8" / f"{name}.tflite", input_mode="rows", **options)
    golden = load_arrays(corpus / "golden" / f"{name}.npz")
    cases = list(range(count))
    sanitize = on == "host"
    result = run(compiled.folder, on, golden_inputs(golden, compiled.report, cases), sanitize=sanitize)
    assert result.warnings == ""
    for index, (output, edge) in enumerate(zip(result.outputs, compiled.report["outputs"], strict=True)):
        actual = as_in_file(output, edge)
        np.testing.assert_array_equal(actual, golden_outputs(golden, index, cases).reshape(actual.shape))
    return result


@pytest.mark.parametrize("name", every_other(sorted(set(MODELS) - REFUSED.keys())))
def test_models_on_the_host(name: str, corpus: Path, compile_once: CompileOnce) -> None:
    large = read_table(corpus)[name].macs > LARGE_MACS
    check_outputs(name, corpus, compile_once, "host", 8 if SLOW else 1 if large else 3)


@pytest.mark.parametrize("name", sorted(REFUSED.keys() & set(MODELS)))
def test_models_whose_input_has_no_rows_are_refused(name: str, corpus: Path) -> None:
    with pytest.raises(UnsupportedError, match=f"row by row: {REFUSED[name]}.*--input-mode tensor"):
        tinycc.compile(corpus / "tflite" / "int8" / f"{name}.tflite", input_mode="rows")


@pytest.mark.parametrize("name", sorted(MOST_BYTES.keys() & set(MODELS)))
def test_the_arena_without_the_image(
    name: str, corpus: Path, compile_once: CompileOnce, require_tool: Callable[[str], str]
) -> None:
    """On a Cortex-M4: the arena is all memory, the stack aside."""
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    result = check_outputs(name, corpus, compile_once, "cortex-m4", 1, optimize_for="memory")
    path = corpus / "tflite" / "int8" / f"{name}.tflite"
    report = compile_once(path, input_mode="rows", optimize_for="memory").report
    assert report["arena_bytes"] <= MOST_BYTES[name] and report["extra_macs"] == 0
    assert report["arena_bytes"] <= result.ram_bytes < report["arena_bytes"] + 8
    assert result.stack_bytes is not None and result.stack_bytes < 1024


@pytest.mark.emulator
@pytest.mark.parametrize(("target", "sram"), [("cortex-m4", "20K"), ("cortex-m0", "16K")])
def test_a_person_detector_in_little_memory(
    target: str, sram: str, corpus: Path, compile_once: CompileOnce, require_tool: Callable[[str], str]
) -> None:
    """The firmware is linked with so much SRAM, stack included; the microbit has no more."""
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    options = {"target": target, "sram": sram, "optimize_for": "memory"}
    result = check_outputs("tflm_person_detect", corpus, compile_once, target, 1, **options)
    assert result.board.startswith("mps2-an386" if target == "cortex-m4" else "microbit")


def first_fed_by_rows(seed: int, folder: Path) -> tuple[RandomModel, CompiledModel]:
    """The first random graph from a seed on whose input can come by rows."""
    while True:
        model = random_model(seed)
        (folder / "model.tflite").write_bytes(model.content)
        try:
            return model, tinycc.compile(
                folder / "model.tflite", input_mode="rows", schedule="stream" if seed % 2 else "auto"
            )
        except UnsupportedError:
            seed += 1


@settings(max_examples=1000 if SLOW else 10)
@given(seed=st.integers(0, 2**31))
def test_random_graphs(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("graph")
    model, compiled = first_fed_by_rows(seed, folder)
    compiled.export(folder / "out")
    inputs = model.cases(np.random.default_rng(1), 2)
    outputs = run(folder / "out", "host", inputs, sanitize=True).outputs
    for case in range(2):
        expected = run_tflite(model.content, [array[case : case + 1] for array in inputs])
        for output, wanted in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(output[case].reshape(-1), np.asarray(wanted).reshape(-1))


def test_the_report_tells_of_the_rows(tmp_path: Path) -> None:
    path = Path(__file__).parent / "data" / "mobile_int8.tflite"
    whole, rows = tinycc.compile(path), tinycc.compile(path, input_mode="rows")
    assert (whole.report["input_mode"], rows.report["input_mode"]) == ("tensor", "rows")
    assert whole.report.keys() == rows.report.keys()
    [edge], tensors = rows.report["inputs"], {item["name"]: item for item in rows.report["tensors"]}
    assert edge["bytes"] == whole.report["inputs"][0]["bytes"] > tensors["input_rows_0_rows"]["bytes"]
    assert edge["offset"] == tensors["input_rows_0_rows"]["offset"]
    assert rows.report["state_bytes"] == tensors["under_way"]["bytes"] == 1
    json.dumps(rows.report)
