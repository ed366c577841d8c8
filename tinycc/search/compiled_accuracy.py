"""How many cases the compiled network is right on: the generated C, run on this machine."""

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tinycc.compiler import CompiledModel
from tinycc.quantization.signal import top_one
from tinycc.run import run
from tinycc.search.data import Dataset
from tinycc.search.normalization import Normalization

# For fewer the C is not built once more, for another core.
_LEAST_CASES = 500


def accuracy_of_compiled(
    compiled: CompiledModel | Path, dataset: Dataset, normalization: Normalization
) -> float:
    """The share of cases whose label has the largest output.

    compiled: a model, or the folder of one, whose int8 input is that of `normalization`.
    Raises ToolError, InputDataError, OutputError.
    """
    if isinstance(compiled, CompiledModel):
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "model"
            compiled.export(folder)
            return accuracy_of_compiled(folder, dataset, normalization)
    integers = normalization.integers(dataset.images).transpose(0, 3, 1, 2)
    parts = np.array_split(integers, max(1, min(os.cpu_count() or 1, len(dataset) // _LEAST_CASES)))
    with ThreadPoolExecutor(len(parts)) as pool:
        results = list(pool.map(lambda part: run(compiled, "host", [part]).outputs[0], parts))
    return float((top_one(np.concatenate(results)) == dataset.labels).mean())
