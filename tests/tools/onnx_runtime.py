"""onnxruntime in a process of its own, as a model that it should refuse may crash it.

`python tests/tools/onnx_runtime.py FOLDER` runs each model NAME.onnx of the folder on random inputs and
leaves NAME.npz (in0, in1 ..., out0, out1 ...), or NAME.refused with the reason.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np


def run_all(folder: Path) -> None:
    """Run each model of a folder, in as many processes as it takes."""
    while any(not _is_done(path) for path in folder.glob("*.onnx")):
        ended = subprocess.run([sys.executable, __file__, str(folder)], capture_output=True, check=False)
        if ended.returncode:
            crashed = next(path for path in sorted(folder.glob("*.onnx")) if not _is_done(path))
            crashed.with_suffix(".refused").write_text(f"crashed with exit code {ended.returncode}")


def _is_done(path: Path) -> bool:
    return path.with_suffix(".npz").exists() or path.with_suffix(".refused").exists()


def _run(path: Path) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(str(path), options)
        generator = np.random.default_rng(0)
        inputs = {
            item.name: generator.integers(-128, 128, item.shape).astype(np.int8)
            for item in session.get_inputs()
        }
        outputs = session.run(None, inputs)
    except Exception as error:
        path.with_suffix(".refused").write_text(str(error))
        return
    arrays = {f"in{index}": value for index, value in enumerate(inputs.values())}
    arrays.update({f"out{index}": value for index, value in enumerate(outputs)})
    np.savez(path.with_suffix(".npz"), **arrays)


if __name__ == "__main__":
    for model in sorted(Path(sys.argv[1]).glob("*.onnx")):
        if not _is_done(model):
            _run(model)
