"""Streaming wake words end to end: 40 steps from a reset, as TFLite Micro computes them, to the bit."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tinycc
from tests.tools.corpus import load_arrays, stems
from tests.tools.linked_models import take_turns
from tinycc.run import run
from tinycc.states import read_states

MODELS = stems("streaming/*.tflite")
SEQUENCES = ("seq0", "seq1", "seq2")
# Bytes of the tensor arena that each is published with; a third of it is plenty.
PUBLISHED = {"vad": 16_772, "okay_nabu": 26_080, "hey_jarvis": 22_860}


@pytest.mark.parametrize("name", MODELS)
def test_sequences_equal_the_goldens(name: str, corpus: Path) -> None:
    compiled = tinycc.compile(corpus / "streaming" / f"{name}.tflite")
    golden = load_arrays(corpus / "streaming" / f"{name}.npz")
    assert read_states(compiled.module["main"])
    assert not [operator for operator in compiled.report["operators"] if operator["kind"] == "fallback"]
    for sequence in SEQUENCES:
        [outputs] = compiled.run([golden[f"{sequence}_in"]], keep_state=True)
        np.testing.assert_array_equal(outputs, golden[f"{sequence}_out_tflm"], sequence)


@pytest.mark.parametrize("target", ["cortex-m4", "cortex-m55", "rv32imc"])
@pytest.mark.parametrize("name", MODELS)
def test_sequences_equal_the_goldens_on_boards(
    name: str, target: str, corpus: Path, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    require_tool("qemu-system-riscv32" if target == "rv32imc" else "qemu-system-arm")
    compiled = tinycc.compile(corpus / "streaming" / f"{name}.tflite", target=target)
    assert 3 * compiled.report["arena_bytes"] <= PUBLISHED[name]
    compiled.export(tmp_path / "model")
    golden = load_arrays(corpus / "streaming" / f"{name}.npz")
    [outputs] = run(tmp_path / "model", target, [golden["seq0_in"]], keep_state=True).outputs
    np.testing.assert_array_equal(outputs, golden["seq0_out_tflm"])


@pytest.mark.parametrize("on", ["host", "cortex-m4"])
def test_two_take_turns_in_one_memory(
    on: str, corpus: Path, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    if on != "host":
        require_tool("qemu-system-arm")
    names = ("vad", "okay_nabu")
    for name in names:
        tinycc.compile(corpus / "streaming" / f"{name}.tflite", name=name).export(tmp_path / name)
    folders = [tmp_path / name for name in names]
    report = tinycc.link(folders, tmp_path / "wake", name="wake")
    assert report["memory_bytes"] < report["separate_bytes"]
    turns = take_turns(tmp_path / "wake", folders, tmp_path / "turns")
    goldens = [load_arrays(corpus / "streaming" / f"{name}.npz") for name in names]
    for sequence in SEQUENCES:
        steps = [golden[f"{sequence}_in"] for golden in goldens]
        outputs = run(turns, on, steps, keep_state=True, sanitize=on == "host").outputs
        for golden, found in zip(goldens, outputs, strict=True):
            np.testing.assert_array_equal(found, golden[f"{sequence}_out_tflm"], sequence)
