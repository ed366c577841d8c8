"""The corpus of real models: its files, their golden outputs and the table of memory bounds."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SLOW = os.environ.get("TINYCC_SLOW") == "1"
LARGE_MACS = 40_000_000  # above, the default run takes fewer cases


def corpus_folder() -> Path:
    """The folder of the corpus, which may be absent."""
    return Path(os.environ.get("TINYCC_CORPUS", ROOT.parent / "shared" / "corpus"))


def stems(pattern: str) -> list[str]:
    """The names, without their endings, of the corpus files that a pattern matches; [] without a corpus."""
    return sorted(path.stem for path in corpus_folder().glob(pattern))


def every_other(names: Sequence[str]) -> list[str]:
    """Half of the names, for what other tests look at of all of them; all with TINYCC_SLOW=1."""
    return list(names) if SLOW else list(names)[::2]


def golden_of(path: Path) -> Path:
    """The outputs of a model's own runtime, beside the model or with the others'."""
    beside, golden = path.with_suffix(".npz"), corpus_folder() / "golden"
    of_file = golden / f"{path.name}.npz"
    return next((known for known in (beside, of_file) if known.exists()), golden / beside.name)


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an .npz file."""
    with np.load(path) as stored:
        return {name: stored[name] for name in stored.files}


@dataclass(frozen=True)
class Bounds:
    """One row of TABLE.md, sizes in bytes.

    weights: all constant inputs of operators.
    in_place_peak: what is live at the worst moment where elementwise operators write over their input.
    """

    macs: int
    weights: int
    in_place_peak: int
    state: int


def read_table(corpus: Path) -> dict[str, Bounds]:
    """The rows of the model table of TABLE.md by model."""
    rows, columns = {}, []
    for line in (corpus / "TABLE.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| model |"):
            columns = cells
        elif line.startswith("| ") and "in-place peak B" in columns:
            row = dict(zip(columns, cells, strict=True))
            macs, weights, peak, state = (
                int(row[name].replace(",", ""))
                for name in ("MACs", "weights B", "in-place peak B", "state B")
            )
            rows[row["model"]] = Bounds(macs, weights, peak, state)
    return rows


def golden_inputs(
    golden: dict[str, np.ndarray], report: dict[str, Any], cases: list[int]
) -> list[np.ndarray]:
    """The golden inputs of some cases, one array with a leading axis of cases for each input."""
    return [golden[f"in{index}"][cases] for index in range(len(report["inputs"]))]


def golden_outputs(golden: dict[str, np.ndarray], index: int, cases: list[int]) -> np.ndarray:
    """TFLM's output `index` of some cases, [cases, ...]; LiteRT's where TFLM has none."""
    name = f"out{index}_tflm" if f"out{index}_tflm" in golden else f"out{index}"
    return golden[name][cases]


def as_in_file(output: np.ndarray, edge: dict[str, Any]) -> np.ndarray:
    """A device output as the file has it: TFLite's DEQUANTIZE makes the integers of a float32 edge real.

    edge: the output's entry in the report.
    """
    if edge["file_dtype"] == "float32" and output.dtype != np.float32:
        return ((output.astype(np.float64) - edge["zero_point"]) * edge["scale"]).astype(np.float32)
    return output
