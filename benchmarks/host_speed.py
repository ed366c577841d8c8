"""Time of an inference on the host, as a ratio to onnxruntime and LiteRT on one thread.

    python -m benchmarks.host_speed

For those who simulate on the host. The engines take turns in rounds, and a ratio is the median over the
rounds, so that a busy machine disturbs all of them alike. Needs what the extra `dev` installs.
"""

import ctypes
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import tinycc
from benchmarks.records import RESULTS
from tests.tools.corpus import corpus_folder, load_arrays, stems
from tinycc.run.toolchain import host_compiler

ROUNDS = 15
ROUND_SECONDS = 0.05
# As `tinycc run` builds, and all that the host can do.
BUILDS = {"-O2": ("-O2",), "-O3 -march=native": ("-O3", "-march=native")}
RESULT = RESULTS / "host.json"
Inference = Callable[[], object]


def generated(path: Path, arrays: dict[str, np.ndarray], flags: tuple[str, ...], work: Path) -> Inference:
    """The model as a shared library, its inputs set."""
    compiled = tinycc.compile(path, target="host")
    folder = work / "-".join(("model", *flags))
    compiled.export(folder)
    library_path = folder / "model.so"
    sources = [str(item) for item in folder.glob("*.c") if item.name != "main.c"]
    command = [host_compiler(), "-std=c99", *flags, "-shared", "-fPIC", f"-I{folder}", *sources, "-lm"]
    subprocess.run([*command, "-o", str(library_path)], check=True)
    library = ctypes.CDLL(str(library_path))
    library.model_input.restype = ctypes.c_void_p
    for index, edge in enumerate(compiled.report["inputs"]):
        data = np.random.default_rng(1).integers(-128, 128, edge["bytes"], np.int8).tobytes()
        ctypes.memmove(library.model_input(index), data, len(data))
    library.model_invoke.restype = None
    return library.model_invoke


def litert(path: Path, arrays: dict[str, np.ndarray]) -> Inference:
    """LiteRT with its default kernels (XNNPACK) on one thread."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    for index, detail in enumerate(interpreter.get_input_details()):
        interpreter.set_tensor(detail["index"], arrays[f"in{index}"][0].reshape(detail["shape"]))
    interpreter.invoke()
    invoke: Inference = interpreter.invoke
    return invoke


def onnxruntime(path: Path, arrays: dict[str, np.ndarray]) -> Inference:
    """Onnxruntime on one thread."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feeds: dict[str, np.ndarray] = {}
    for index, item in enumerate(session.get_inputs()):
        shape = [extent if isinstance(extent, int) else 1 for extent in item.shape]  # a free batch has a name
        feeds[item.name] = arrays[f"in{index}"][:1].reshape(shape)
    return lambda: session.run(None, feeds)


def interleaved(engines: dict[str, Inference]) -> dict[str, list[float]]:
    """Seconds of an inference of each engine, round by round."""
    repeats = {}
    for name, inference in engines.items():
        inference()
        start = time.perf_counter()
        inference()
        repeats[name] = max(1, round(ROUND_SECONDS / max(time.perf_counter() - start, 1e-6)))
    times: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(ROUNDS):
        for name, inference in engines.items():
            start = time.perf_counter()
            for _ in range(repeats[name]):
                inference()
            times[name].append((time.perf_counter() - start) / repeats[name])
    return times


def measure(name: str) -> dict[str, float]:
    """Medians of other / tinycc for each build of tinycc, and tinycc's median milliseconds at -O2."""
    corpus = corpus_folder()
    arrays = load_arrays(corpus / "golden" / f"{name}.npz")
    path = corpus / "tflite" / "int8" / f"{name}.tflite"
    with tempfile.TemporaryDirectory() as folder:
        engines = {build: generated(path, arrays, flags, Path(folder)) for build, flags in BUILDS.items()}
        engines["LiteRT"] = litert(path, arrays)
        engines["onnxruntime"] = onnxruntime(corpus / "onnx" / "from_tflite_int8" / f"{name}.onnx", arrays)
        times = interleaved(engines)
    found = {"ms": round(1000 * statistics.median(times["-O2"]), 4)}
    for build in BUILDS:
        for other in ("LiteRT", "onnxruntime"):
            ratios = [theirs / ours for theirs, ours in zip(times[other], times[build], strict=True)]
            found[f"{other} / {build}"] = round(statistics.median(ratios), 3)
    return found


def main() -> None:
    """Measure the int8 models that both others run, and write host.json."""
    twins = set(stems("onnx/from_tflite_int8/*.onnx"))
    lines = []
    for name in stems("tflite/int8/*.tflite"):
        if name in twins:
            found = measure(name)
            lines.append(f"{json.dumps(name)}: {json.dumps(found)}")
            print(lines[-1])
    RESULT.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
