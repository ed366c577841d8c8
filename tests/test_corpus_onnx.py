"""Real ONNX models end to end: how far from onnxruntime, and not a step from the integer reference.

ONNX leaves the arithmetic between dequantize and quantize to floats with one rounding a tensor; the kernels
compute in integers as TFLite specifies, rounding twice. Outputs may therefore differ by a few steps. How many
of which size is written to build/reports/onnx_steps.txt. What must not differ at all is each operator from
the integer reference.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import tinycc
from tests.tools.corpus import ROOT, SLOW, golden_inputs, load_arrays, stems
from tests.tools.view_reference import reference_of
from tinycc.compiler import CompiledModel
from tinycc.run import RunResult, run

CONVERTED = stems("onnx/from_tflite_int8/*.onnx")
TINY_TRAINING = stems("onnx/from_pkl_int8/*.onnx")
ORIGINAL = [name for name in stems("onnx/original/*.onnx") if "quantized" in name]
FILES = [
    *(f"from_tflite_int8/{name}" for name in CONVERTED),
    *(f"from_pkl_int8/{name}" for name in TINY_TRAINING),
    *(f"original/{name}" for name in ORIGINAL),
]

# Steps of the output between our C and the file's golden output. A file converted from TFLite has TFLM's as
# golden (LiteRT's where TFLM has none): the same scales give the same integers. The other goldens are
# onnxruntime's without optimisation, one float rounding a tensor: each of some 60 layers adds up to a step
# that the layers after it pass on, as corpus/ONNX.md finds between onnxruntime and an exact integer
# simulation (4 to 5 steps), here once more on the other side.
LARGEST_STEP = {
    **dict.fromkeys(FILES[: len(CONVERTED)], 0),
    "from_tflite_int8/tflm_micro_speech_int8": 1,  # the conversion lost the bias of the dense layer
    "from_tflite_int8/t2o_mobilenet_v1_0.25_128_quant": 2,  # golden of LiteRT's uint8 kernels
    "from_pkl_int8/tt_mbv2-w0.35_128_qdq": 7,
    "from_pkl_int8/tt_mcunet-5fps_128_qdq": 7,
    "original/mlonmcu_micro_kws_m_quantized__micro_kws_m_static_qdq": 4,
    "original/mlonmcu_micro_kws_m_quantized__micro_kws_m_static_qoperator": 4,
}
# The mean difference: none of them may be biased beyond what the histogram of its largest explains.
MEAN_STEP = 1.5


def golden_of(corpus: Path, name: str) -> dict[str, np.ndarray]:
    stem = name.split("/")[1]
    file = f"{stem}.onnx.npz" if name.startswith("original/") else f"{stem}.npz"
    return load_arrays(corpus / "golden" / file)


@pytest.fixture(scope="module")
def step_report() -> Iterator[dict[str, str]]:
    """Lines by file and output, written to build/reports at the end; other workers' lines are kept."""
    lines: dict[str, str] = {}
    yield lines
    path = ROOT / "build" / "reports" / "onnx_steps.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        lines = dict(line.split(": ", 1) for line in path.read_text().splitlines() if ": " in line) | lines
    path.write_text("".join(f"{name}: {text}\n" for name, text in sorted(lines.items())))


@dataclass(frozen=True)
class Traced:
    """A file's model and what its C computed, every operator's output with it, of all golden cases."""

    name: str
    model: CompiledModel
    golden: dict[str, np.ndarray]
    inputs: list[np.ndarray]
    result: RunResult


@pytest.fixture(scope="module", params=FILES)
def traced(request: pytest.FixtureRequest, corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Traced:
    """One build a file: tests of the same parameter follow each other."""
    name, folder = request.param, tmp_path_factory.mktemp("traced") / "out"
    model = tinycc.compile(corpus / "onnx" / f"{name}.onnx")
    model.export(folder)
    golden = golden_of(corpus, name)
    inputs = golden_inputs(golden, model.report, list(range(8)))
    return Traced(name, model, golden, inputs, run(folder, "host", inputs, trace=True))


def test_outputs_are_within_rounding(
    traced: Traced, step_report: dict[str, str], record_property: Callable[[str, object], None]
) -> None:
    edges = traced.model.report["outputs"]
    for index, (output, edge) in enumerate(zip(traced.result.outputs, edges, strict=True)):
        recorded = traced.golden.get(f"out{index}_tflm", traced.golden[f"out{index}"])
        expected = recorded.reshape(output.shape).astype(np.float64)
        if recorded.dtype.kind == "f":
            expected = expected / edge["scale"] + edge["zero_point"]
        # A golden output in float that is no multiple of the scale counts with its nearest step.
        steps = np.abs(output - np.round(expected)).astype(int)
        histogram = dict(sorted(Counter(steps.reshape(-1).tolist()).items()))
        text = ", ".join(f"{count} x {step}" for step, count in histogram.items())
        record_property(f"steps of output {index}", text)
        step_report[f"{traced.name} output {index}"] = f"{text}; mean {steps.mean():.3f}"
        assert max(histogram) <= LARGEST_STEP[traced.name], text
        assert steps.mean() <= MEAN_STEP


def test_operators_equal_the_integer_reference(traced: Traced) -> None:
    """Each operator's output equals the reference's on the operator's own inputs."""
    plan, layers = traced.model.plan, traced.result.layers
    assert layers is not None
    for case in (0, 5) if SLOW else (0,):
        buffers = {
            name: device_input(array[case], traced.model, index)
            for index, (name, array) in enumerate(zip(plan.inputs, traced.inputs, strict=True))
        }
        for step, value in zip(plan.steps, layers[case], strict=True):
            operands = [buffers[name] for name in step.inputs if name is not None]
            buffers[step.outputs[0]] = value
            np.testing.assert_array_equal(value, reference_of(step.operator, operands), step.name)


def device_input(array: np.ndarray, model: CompiledModel, index: int) -> np.ndarray:
    """An input of one case as the device reads it: quantized, int8, NHWC."""
    edge, tensor = model.plan.edges.inputs[index], model.plan.input_tensors[index]
    values = array.reshape(edge.shape)
    if edge.dtype == "float32" and tensor.dtype != "float32":
        assert edge.scale is not None
        ratio = values / np.float32(edge.scale)
        values = np.clip(np.copysign(np.floor(np.abs(ratio) + 0.5), ratio) + edge.zero_point, -128, 127)
    elif edge.dtype == "uint8" and tensor.dtype == "int8":
        values = values.astype(np.int16) - 128
    return values.transpose(edge.permutation or range(values.ndim)).astype(tensor.dtype)


FLOAT = [
    *(f"original/{name}" for name in sorted(set(stems("onnx/original/*.onnx")) - set(ORIGINAL))),
    *(f"from_tflite_float/{name}" for name in stems("onnx/from_tflite_float/*.onnx")),
]


@pytest.mark.parametrize("name", FLOAT)
def test_float_models_are_refused_with_advice(name: str, corpus: Path) -> None:
    with pytest.raises(tinycc.TinyccError, match=r"^[^\n]*compile it with --float$"):
        tinycc.compile(corpus / "onnx" / f"{name}.onnx")
