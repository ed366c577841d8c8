"""Models that were once computed wrongly, refused or ended in a traceback, with their right outputs.

faults/NAME/NOTE.txt of the corpus tells what was observed and what is right.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinycc
from tests.tools.corpus import corpus_folder, load_arrays
from tinycc.errors import TinyccError

# Cases that are successive inferences from a reset.
SUCCESSIVE = {"tflite_streaming_variables"}
# Right or refused, as the notes say.
MAY_BE_REFUSED = {"tflite_input_listed_twice"}


@dataclass(frozen=True)
class Fault:
    """A model file, and the endings of the names of its inputs and right outputs."""

    model: Path
    suffix: str

    @property
    def name(self) -> str:
        return self.model.parent.name

    @property
    def most_steps(self) -> int:
        """TFLite's integers are exact; ONNX and torch round once, the kernels twice."""
        return 0 if self.model.suffix == ".tflite" else 1

    def arrays(self, kind: str) -> list[np.ndarray]:
        """Inputs ("in") or right outputs ("right"), in order."""
        stored = load_arrays(self.model.parent / f"{kind}{self.suffix}.npz")
        return [stored[name] for name in sorted(stored) if not name.endswith("_q")]

    def load(self) -> Any:
        """What tinycc.compile takes."""
        if self.model.suffix != ".pt2":
            return self.model
        torch = pytest.importorskip("torch")
        pytest.importorskip("torchao.quantization.pt2e.quantize_pt2e")
        return torch.export.load(self.model)


def _faults() -> list[Fault]:
    """Every model of every folder; where there are several, the files of arrays carry their names."""
    faults = []
    for model in sorted(corpus_folder().glob("faults/*/*")):
        if model.suffix in (".tflite", ".onnx", ".pt2"):
            named = (model.parent / f"in_{model.stem}.npz").exists()
            faults.append(Fault(model, f"_{model.stem}" if named else ""))
    return faults


FAULTS = _faults()


def _steps(output: np.ndarray, right: np.ndarray, edge: dict[str, Any]) -> float:
    """The largest difference, in steps of the output's quantization."""
    if output.dtype == right.dtype and output.dtype.kind in "iu":
        return float(np.abs(output.astype(np.int64) - right.astype(np.int64)).max())
    real = output
    if output.dtype.kind in "iu":
        real = (output.astype(np.float64) - edge["zero_point"]) * edge["scale"]
    return float(np.round(np.abs(real - right).max() / edge["scale"], 3))


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.name}/{fault.model.name}")
def test_a_fault_is_mended(fault: Fault) -> None:
    try:
        compiled = tinycc.compile(fault.load())
    except TinyccError:
        if fault.name in MAY_BE_REFUSED:
            return
        raise
    assert not [operator for operator in compiled.report["operators"] if operator["kind"] == "fallback"]
    outputs = compiled.run(fault.arrays("in"), keep_state=fault.name in SUCCESSIVE)
    for output, right, edge in zip(outputs, fault.arrays("right"), compiled.report["outputs"], strict=True):
        assert output.shape == right.shape
        assert _steps(output, right, edge) <= fault.most_steps


def test_every_fault_of_the_corpus_is_found(corpus: Path) -> None:
    """The folder is where this file looks for it, and nothing in it is passed over."""
    folders = {folder.name for folder in (corpus / "faults").glob("*")}
    if not folders:
        pytest.skip(f"no faults in {corpus}")
    assert {fault.name for fault in FAULTS} == folders
