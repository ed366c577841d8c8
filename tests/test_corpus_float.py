"""Real float models end to end: the generated C agrees with the model's own runtime.

By default one of each kind runs; TINYCC_SLOW=1 runs all.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import tinycc
from tests.tools.corpus import SLOW, corpus_folder, golden_of, load_arrays
from tinycc.errors import TinyccError
from tinycc.run import run

# Largest error to largest output.
TOLERANCE = 1e-4
SOME = {
    "mlperf_ic_resnet8_float", "tflm_mnist_lstm_float", "pnet_static_48", "blazeface_short_range",
    "esp_streaming_model", "deeploy_Autoencoder1D",
}  # fmt: skip
FILES = {
    path.stem + path.suffix: path
    for pattern in ("tflite/float/*", "onnx/from_tflite_float/*", "onnx/original/*", "float_real/*")
    for path in sorted(corpus_folder().glob(pattern))
    if path.suffix in (".tflite", ".onnx") and "quantized" not in path.stem
}
RESNET8 = "tflite/float/mlperf_ic_resnet8_float.tflite"
MACS = 12_501_632
# The same models as their exporters left them, of any batch or size.
DYNAMIC = {
    "pnet": ("pnet_static_48", (1, 48, 48, 3)),
    **({"basic_pitch_nmp": ("basic_pitch_nmp_static", (1, 43844, 1))} if SLOW else {}),
}
# Of onnx2c: nodes and small networks, with one case each.
SMALL = {path.parent.name: path.parent for path in sorted(corpus_folder().glob("onnx2c/*/*/model.onnx"))}
# Of those that are refused: order and bias are not as ONNX has them, or the scales are inputs.
REFUSALS = ("topologically sorted", "cannot be imported", "must be a constant")
SOME_SMALL = ("test_gemm_CMx1_transA", "test_lstm_bidirectional", "test_maxpool_stride_2")
MODELS = [name for name, path in FILES.items() if golden_of(path).exists() and (SLOW or path.stem in SOME)]


@pytest.mark.parametrize("name", MODELS)
def test_agrees_with_its_own_runtime(name: str) -> None:
    compiled = tinycc.compile(FILES[name], allow_float=True)
    golden = load_arrays(golden_of(FILES[name]))
    cases = slice(None) if SLOW else slice(2)
    inputs = [golden[f"in{index}"][cases] for index in range(len(compiled.report["inputs"]))]
    for index, output in enumerate(compiled.run(inputs)):
        expected = golden[f"out{index}"][cases]
        assert np.abs(output.reshape(expected.shape) - expected).max() <= TOLERANCE * np.abs(expected).max()
    assert compiled.report["fallbacks"] == []


@pytest.mark.parametrize("name", DYNAMIC)
def test_of_a_shape_that_the_user_fixes(name: str, corpus: Path) -> None:
    static, shape = DYNAMIC[name]
    path = corpus / "float_real" / f"{name}.onnx"
    source = onnx.load(path).graph.input[0].name
    compiled = tinycc.compile(path, allow_float=True, shapes={source: shape})
    golden = load_arrays(path.with_name(f"{static}.npz"))
    for index, output in enumerate(compiled.run([golden["in0"][:1]])):
        expected = golden[f"out{index}"][:1]
        assert np.abs(output.reshape(expected.shape) - expected).max() <= TOLERANCE * np.abs(expected).max()


@pytest.mark.parametrize("name", SMALL if SLOW else SOME_SMALL)
def test_small_models_give_what_stands_beside_them(name: str, corpus: Path) -> None:
    def stored(kind: str, index: int) -> np.ndarray:
        content = (SMALL[name] / "test_data_set_0" / f"{kind}_{index}.pb").read_bytes()
        return onnx.numpy_helper.to_array(onnx.TensorProto.FromString(content))

    try:
        compiled = tinycc.compile(SMALL[name] / "model.onnx", allow_float=True)
    except TinyccError as error:
        assert any(reason in str(error) for reason in REFUSALS), error
        return
    names = [value.name for value in onnx.load(SMALL[name] / "model.onnx").graph.input]
    inputs = [stored("input", names.index(edge["name"]))[None] for edge in compiled.report["inputs"]]
    for index, output in enumerate(compiled.run(inputs)):
        expected = stored("output", index)
        assert np.abs(output[0] - expected).max() <= TOLERANCE * np.abs(expected).max()


def test_resnet8_on_the_boards(corpus: Path, tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    """At most 3 instructions a multiply-accumulate, and four bytes for one of the int8 model's arena."""
    require_tool("qemu-system-arm")
    compiled = tinycc.compile(corpus / RESNET8, allow_float=True)
    integers = tinycc.compile(corpus / "tflite" / "int8" / "mlperf_ic_resnet8_int8.tflite")
    assert compiled.report["macs"] == MACS
    assert compiled.report["arena_bytes"] <= 4 * integers.report["arena_bytes"]
    golden = load_arrays(corpus / "golden" / "mlperf_ic_resnet8_float.npz")
    compiled.export(tmp_path / "model")
    for core in ("cortex-m4", "cortex-m7"):
        result = run(tmp_path / "model", core, [golden["in0"][:1]])
        assert result.instructions is not None and result.instructions <= 3 * MACS
        expected = golden["out0"][:1]
        assert np.abs(result.outputs[0].reshape(expected.shape) - expected).max() <= TOLERANCE


def test_streamed_row_by_row(corpus: Path) -> None:
    """The outputs are the same to the bit, whatever the schedule."""
    golden = load_arrays(corpus / "golden" / "mlperf_ic_resnet8_float.npz")
    whole, stream = (
        tinycc.compile(corpus / RESNET8, allow_float=True, schedule=schedule)
        for schedule in ("whole", "stream")
    )
    assert stream.report["arena_bytes"] < whole.report["arena_bytes"]
    inputs = [golden["in0"][:2]]
    np.testing.assert_array_equal(stream.run(inputs)[0], whole.run(inputs)[0])
