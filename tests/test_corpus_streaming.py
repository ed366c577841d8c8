"""Streaming wake words end to end: 40 steps from a reset, as TFLite Micro computes them, to the bit."""

from pathlib import Path

import numpy as np
import pytest

import tinycc
from tests.tools.corpus import load_arrays, stems
from tinycc.states import read_states

MODELS = stems("streaming/*.tflite")


@pytest.mark.parametrize("name", MODELS)
def test_sequences_equal_the_goldens(name: str, corpus: Path) -> None:
    compiled = tinycc.compile(corpus / "streaming" / f"{name}.tflite")
    golden = load_arrays(corpus / "streaming" / f"{name}.npz")
    assert read_states(compiled.module["main"])
    assert not [operator for operator in compiled.report["operators"] if operator["kind"] == "fallback"]
    for sequence in ("seq0", "seq1", "seq2"):
        [outputs] = compiled.run([golden[f"{sequence}_in"]], keep_state=True)
        np.testing.assert_array_equal(outputs, golden[f"{sequence}_out_tflm"], sequence)
