"""A float file becomes an int8 file of the same format, near to it, that tinycc compiles."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import tinycc
from tests.tools.float_models import CLASSES, float_onnx, float_tflite, images, weights
from tinycc.errors import InputDataError, ModelError, TinyccError, UnsupportedError
from tinycc.quantization import Preprocessing, QuantizedModel, quantize
from tinycc.quantization.calibration import read_cases
from tinycc.quantization.runtime import open_runtime, scales
from tinycc.quantization.signal import signal_to_noise

Make = Callable[..., Path]
PREPROCESSING = Preprocessing(mean=(128.0,), std=(64.0,))

FORMATS = pytest.mark.parametrize("make", [float_onnx, float_tflite])


def cases(make: Make, count: int) -> np.ndarray:
    """Inputs as the float model takes them."""
    values = ((images(count).astype(np.float32) - 128) / 64).astype(np.float32)
    return values.transpose(0, 3, 1, 2) if make is float_onnx else values


def float_scores(path: Path, inputs: np.ndarray) -> np.ndarray:
    [scores] = open_runtime(path.read_bytes(), path.suffix[1:]).run(
        [(array[np.newaxis],) for array in inputs]
    )
    return scores.reshape(len(inputs), CLASSES)


def real(compiled: tinycc.CompiledModel, outputs: np.ndarray) -> np.ndarray:
    edge = compiled.report["outputs"][0]
    return (outputs.reshape(-1, CLASSES).astype(np.float32) - edge["zero_point"]) * np.float32(edge["scale"])


@FORMATS
def test_the_c_is_near_to_the_float_model(make: Make, tmp_path: Path) -> None:
    path, inputs = make(tmp_path), cases(make, 32)
    compiled = tinycc.compile(path, calibration=inputs)
    assert compiled.report["model"] == path.name and not compiled.report["fallbacks"]
    found = real(compiled, compiled.run([inputs])[0])
    assert signal_to_noise([float_scores(path, inputs)], [found]) > 25


@FORMATS
def test_raw_pixels_go_in_where_the_data_are_pixels(make: Make, tmp_path: Path) -> None:
    """The device reads uint8, and has computed what the float model does with the preprocessing in front."""
    path, pixels = make(tmp_path), images(32)
    raw = pixels.transpose(0, 3, 1, 2) if make is float_onnx else pixels
    quantized = quantize(path, raw, preprocessing=PREPROCESSING)
    assert any("raw pixels" in note and "exactly" in note for note in quantized.notes)
    compiled = tinycc.compile(quantized)
    edge = compiled.report["inputs"][0]
    assert (edge["dtype"], edge["scale"], edge["zero_point"]) == ("uint8", 1 / 64, 128)
    found = real(compiled, compiled.run([raw])[0])
    assert signal_to_noise([float_scores(path, cases(make, 32))], [found]) > 25
    assert any("raw pixels" in note for note in compiled.report["notes"])


@FORMATS
def test_raw_pixels_go_in_where_the_first_layer_stays_float(make: Make, tmp_path: Path) -> None:
    path = make(tmp_path)
    raw = images(8).transpose(0, 3, 1, 2) if make is float_onnx else images(8)
    quantized = quantize(path, raw, preprocessing=PREPROCESSING, keep={"features": "float"})
    runtime = open_runtime(quantized.content, quantized.kind)
    [found] = runtime.run([(pixels[np.newaxis],) for pixels in raw])
    expected = float_scores(path, cases(make, 8))
    assert signal_to_noise([expected], [found.reshape(expected.shape)]) > 25


def test_batch_normalisation_is_in_the_weights(tmp_path: Path) -> None:
    path = float_onnx(tmp_path)
    model = onnx.load_model_from_string(quantize(path, cases(float_onnx, 8)).content)
    assert {node.op_type for node in model.graph.node} == {
        "QuantizeLinear",
        "DequantizeLinear",
        "Conv",
        "GlobalAveragePool",
        "Flatten",
        "Gemm",
    }
    onnx.checker.check_model(model, full_check=True)


def test_weights_of_float16_are_quantized_as_well(tmp_path: Path) -> None:
    path = float_tflite(tmp_path, half=True)
    found = scales(quantize(path, cases(float_tflite, 8)).content, "tflite")
    assert {"features", "average", "scores"} <= found.keys()


@FORMATS
def test_the_best_range_is_kept(make: Make, tmp_path: Path) -> None:
    """One pixel is far from all others, so that the whole range would be a waste."""
    path, data = make(tmp_path), cases(make, 16)
    data.flat[0] = 400.0
    quantized = quantize(path, data, range="auto")
    tried = {
        note.split(":")[0].removeprefix("ranges by "): float(note.split()[-2])
        for note in quantized.notes
        if note.startswith("ranges by")
    }
    assert len(tried) >= 3 and max(tried, key=tried.__getitem__) == quantized.choice.method


@FORMATS
def test_the_analysis_tells_what_each_layer_costs(make: Make, tmp_path: Path) -> None:
    """A weight of the dense layer is far from the others of its row, whose steps are coarse then."""
    constants = weights()
    constants["dense"][:, 0] *= 60
    path = make(tmp_path, constants)
    losses = quantize(path, cases(make, 16), analysis=True).losses
    assert [loss.layer for loss in losses] == ["features", "average", "scores"]
    assert all(loss.decibels is not None and loss.decibels > 10 for loss in losses)
    alone = {loss.layer: loss.alone for loss in losses}
    whole = losses[-1].decibels
    assert whole is not None and min(alone.values()) >= whole - 1


@FORMATS
def test_kept_layers_keep_their_precision(make: Make, tmp_path: Path) -> None:
    path, inputs = make(tmp_path), cases(make, 16)
    reference = float_scores(path, inputs)

    def decibels(quantized: QuantizedModel) -> float:
        found = open_runtime(quantized.content, quantized.kind).run(
            read_cases(inputs, tinycc_inputs(path)).cases
        )
        return signal_to_noise([reference], [found[0].reshape(reference.shape)])

    int8 = decibels(quantize(path, inputs))
    float_end = decibels(quantize(path, inputs, keep={"scores": "float", "average": "float"}))
    all_float = quantize(path, inputs, keep=dict.fromkeys(("features", "average", "scores"), "float"))
    wide = quantize(path, inputs, keep={"average": "int16", "scores": "int16"})
    assert int8 < float_end < decibels(all_float)
    assert decibels(wide) > int8
    assert "scores" not in scales(all_float.content, all_float.kind)


@FORMATS
@pytest.mark.parametrize(
    "keep", [("features",), ("scores",), ("average", "scores"), ("features", "average", "scores")]
)
def test_kept_layers_are_compiled(make: Make, keep: tuple[str, ...], tmp_path: Path) -> None:
    """In float32 beside int8 ones, by kernels."""
    path, inputs = make(tmp_path), cases(make, 16)
    quantized = quantize(path, inputs, keep=dict.fromkeys(keep, "float"))
    compiled = tinycc.compile(quantized, io="float")
    assert not compiled.report["fallbacks"]
    [expected] = open_runtime(quantized.content, quantized.kind).run(
        [(array[np.newaxis],) for array in inputs]
    )
    [found] = compiled.run([inputs])
    found = real(compiled, found) if found.dtype == np.int8 else found
    assert signal_to_noise([expected], [found.reshape(expected.shape)]) > 35


def tinycc_inputs(path: Path) -> tuple[tinycc.frontend.description.TensorDescription, ...]:
    from tinycc.frontend.load import describe_model

    return describe_model(path).inputs


@FORMATS
def test_keep_auto_keeps_the_fewest_layers(make: Make, tmp_path: Path) -> None:
    path, data = make(tmp_path), cases(make, 32)
    assert not quantize(path, data, keep="auto", at_least=0.5).choice.keep
    kept = quantize(path, data, keep="auto", at_least=1.0).choice.keep
    assert len(kept) <= 3 and set(kept.values()) <= {"float"}


@FORMATS
@pytest.mark.parametrize(
    ("options", "error", "reason"),
    [
        ({"keep": {"nothing": "float"}}, UnsupportedError, "features, average, scores"),
        ({"keep": {"s": "float"}}, UnsupportedError, "2 layers"),
        ({"range": "widest"}, UnsupportedError, "min-max"),
    ],
)
def test_unknown_choices_are_refused_with_what_there_is(
    make: Make, options: dict[str, object], error: type[TinyccError], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=reason):
        quantize(make(tmp_path), cases(make, 2), **options)


@FORMATS
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(make: Make, value: float, tmp_path: Path) -> None:
    constants = weights()
    constants["dense"][1, 1] = value
    with pytest.raises(ModelError, match="'dense' have values that are not finite"):
        quantize(make(tmp_path, constants), cases(make, 2))


@FORMATS
def test_what_is_quantized_is_not_quantized_again(make: Make, tmp_path: Path) -> None:
    path, data = make(tmp_path), cases(make, 4)
    quantize(path, data).save(path)
    with pytest.raises(UnsupportedError, match="quantized already"):
        quantize(path, data)


@FORMATS
def test_data_are_checked_before_anything_is_computed(make: Make, tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match="not finite"):
        quantize(make(tmp_path), np.full_like(cases(make, 2), np.nan))


def test_layers_may_share_a_bias(tmp_path: Path) -> None:
    """It becomes other integers in each, with a name that no tensor of the file has."""
    random = np.random.default_rng(0)
    constants = {
        "first": random.normal(0, 1, (3, 3, 1, 1)),
        "second": random.normal(0, 0.01, (3, 3, 1, 1)),
        "b": random.normal(0, 1, 3),
    }
    nodes = [
        onnx.helper.make_node("Conv", ["x", "first", "b"], ["b0"]),
        onnx.helper.make_node("Conv", ["b0", "second", "b"], ["b1"]),
        onnx.helper.make_node("Conv", ["b1", "first", "b"], ["b2"]),
        onnx.helper.make_node("Conv", ["b2", "second", "b"], ["y"]),
    ]
    edges = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, 4, 4]) for name in ("x", "y")
    ]
    tensors = [
        onnx.numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()
    ]
    graph = onnx.helper.make_graph(nodes, "shared", edges[:1], edges[1:], tensors)
    path = tmp_path / "shared.onnx"
    opset = onnx.helper.make_opsetid("", 17)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[opset], ir_version=8), path)
    data = random.normal(0, 1, (16, 3, 4, 4)).astype(np.float32)
    inputs = [(case[np.newaxis],) for case in data]
    expected, found = (
        open_runtime(content, "onnx").run(inputs)[0]
        for content in (path.read_bytes(), quantize(path, data).content)
    )
    assert signal_to_noise([expected], [found]) > 25
