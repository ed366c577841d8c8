"""ONNX files become modules that agree with onnxruntime, or are refused in one line."""

import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.passes.layout_tools import operators, run_on_vm
from tinycc import tvm_adapter
from tinycc.edges import Edge, read_edges
from tinycc.errors import ModelError, TinyccError, UnsupportedError
from tinycc.frontend.onnx import load_onnx
from tinycc.frontend.onnx.description import describe_onnx

# The largest difference in int8 steps of the result that corpus/ONNX.md explains by rounding.
CORPUS_STEPS = {
    "from_tflite_int8/cfu_mnv2_160_035": 5,
    "from_tflite_int8/mlperf_ad_ae_int8": 0,
    "from_tflite_int8/mlperf_ic_resnet8_int8": 1,
    "from_tflite_int8/mlperf_kws_dscnn_int8": 1,
    "from_tflite_int8/mlperf_sww_int8": 1,
    "from_tflite_int8/t2o_mobilenet_v1_0.25_128_quant": 2,
    "from_tflite_int8/te_vww": 1,
    "from_pkl_int8/tt_mcunet-5fps_128_qdq": 5,
    "original/mlonmcu_micro_kws_m_quantized__micro_kws_m_static_qdq": 2,
    "original/mlonmcu_micro_kws_m_quantized__micro_kws_m_static_qoperator": 2,
}


def _on_device(value: np.ndarray, edge: Edge) -> np.ndarray:
    """An array of the file's form as the device holds it."""
    if value.dtype == np.uint8:
        value = (value.astype(np.int16) - 128).astype(np.int8)
    return value.transpose(edge.permutation) if edge.permutation else value


def _steps(path: Path, cases: int = 1) -> Counter[int]:
    """How often results differ from onnxruntime's by how many int8 steps."""
    module = load_onnx(path)
    edges = read_edges(module)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options)
    generator = np.random.default_rng(0)
    values = {binding.var: binding.value for binding in tvm_adapter.bindings_of(module["main"])}
    calls = [values[result] for result in tvm_adapter.returned(module["main"])]
    scales = [
        float(tvm_adapter.constant_value(call.args[1]))
        if tvm_adapter.op_name(call) == "relax.dequantize"
        else 1.0
        for call in calls
    ]
    histogram: Counter[int] = Counter()
    for _ in range(cases):
        inputs = {}
        for edge in edges.inputs:
            if edge.dtype == "float32":
                inputs[edge.name] = generator.normal(size=edge.shape).astype(np.float32)
            else:
                limits = np.iinfo(edge.dtype)
                inputs[edge.name] = generator.integers(limits.min, limits.max + 1, edge.shape).astype(
                    edge.dtype
                )
        results = run_on_vm(module, [_on_device(inputs[edge.name], edge) for edge in edges.inputs])
        expectations = session.run(None, inputs)
        for expected, result, edge, step in zip(expectations, results, edges.outputs, scales, strict=True):
            wanted = _on_device(expected, edge)
            difference = np.abs(wanted.astype(np.float64) - result) / step
            histogram.update(np.round(difference).astype(int).ravel().tolist())
    return histogram


QUICK = ("kws", "resnet8", "mcunet", "qoperator")
SLOW = os.environ.get("TINYCC_SLOW") == "1"


@pytest.mark.parametrize(
    "name", [name for name in CORPUS_STEPS if SLOW or any(part in name for part in QUICK)]
)
def test_corpus_agrees_with_onnxruntime(corpus: Path, name: str) -> None:
    histogram = _steps(corpus / "onnx" / f"{name}.onnx")
    print(f"{name}: int8 steps {dict(sorted(histogram.items()))}")
    assert max(histogram) <= CORPUS_STEPS[name]


def test_no_transposes_are_left_in_the_corpus(corpus: Path) -> None:
    for name in ("from_pkl_int8/tt_mbv2-w0.35_128_qdq", "from_tflite_int8/tmaix_cifar10_q"):
        assert "permute_dims" not in operators(load_onnx(corpus / "onnx" / f"{name}.onnx"))


def _small_model(unsigned: bool = False, batch: int | str = 1) -> onnx.ModelProto:
    """NCHW: quantize, convolution with bias, relu of its own, max pooling, flatten, dense, dequantize."""
    generator = np.random.default_rng(3)
    dtype, shift = (np.uint8, 128) if unsigned else (np.int8, 0)
    weights = generator.integers(-100, 100, (4, 3, 3, 3)) + shift
    dense = generator.integers(-100, 100, (36, 5)) + shift
    constants = {
        "scale": np.float32(0.05),
        "zero": np.array(3 + shift, dtype),
        "weights": weights.astype(dtype),
        "weight_scale": np.float32(0.01),
        "weight_zero": np.array(shift + 2, dtype),
        "bias": generator.normal(size=4).astype(np.float32),
        "dense": dense.astype(dtype),
        "result_scale": np.float32(0.3),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "scale", "zero"], ["xd"]),
        helper.make_node("DequantizeLinear", ["weights", "weight_scale", "weight_zero"], ["wd"]),
        helper.make_node("Conv", ["xd", "wd", "bias"], ["c"], auto_pad="SAME_UPPER"),
        helper.make_node("QuantizeLinear", ["c", "scale", "zero"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "scale", "zero"], ["cd"]),
        helper.make_node("Relu", ["cd"], ["r"]),
        helper.make_node("MaxPool", ["r"], ["m"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["m"], ["f"]),
        helper.make_node("QuantizeLinear", ["f", "scale", "zero"], ["fq"]),
        helper.make_node("DequantizeLinear", ["fq", "scale", "zero"], ["fd"]),
        helper.make_node("DequantizeLinear", ["dense", "weight_scale", "weight_zero"], ["dd"]),
        helper.make_node("MatMul", ["fd", "dd"], ["y"]),
        helper.make_node("QuantizeLinear", ["y", "result_scale", "zero"], ["yq"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 6, 6])],
        [
            helper.make_tensor_value_info(
                "yq", TensorProto.UINT8 if unsigned else TensorProto.INT8, [batch, 5]
            )
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("unsigned", [False, True])
def test_nchw_becomes_nhwc_int8(tmp_path: Path, unsigned: bool) -> None:
    path = tmp_path / "small.onnx"
    onnx.save(_small_model(unsigned), path)
    module = load_onnx(path)
    assert operators(module) == [
        "quantize", "dequantize", "dequantize", "nn.conv2d", "dequantize", "add", "nn.relu", "quantize",
        "nn.max_pool2d", "reshape", "dequantize", "dequantize", "matmul", "quantize",
    ]  # fmt: skip
    assert read_edges(module).inputs[0].permutation == (0, 2, 3, 1)
    assert max(_steps(path)) <= 1


def test_a_symbolic_batch_is_one(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    onnx.save(_small_model(batch="N"), path)
    assert read_edges(load_onnx(path)).inputs[0].shape == (1, 3, 6, 6)


def test_larger_batches_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    onnx.save(_small_model(batch=2), path)
    with pytest.raises(UnsupportedError, match="batch of 2"):
        load_onnx(path)


def test_dynamic_shapes_are_refused(tmp_path: Path) -> None:
    model = _small_model()
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    path = tmp_path / "small.onnx"
    onnx.save(model, path)
    with pytest.raises(UnsupportedError, match="dynamic"):
        load_onnx(path)


def test_float_models_are_refused(corpus: Path) -> None:
    with pytest.raises(UnsupportedError, match="compile it with --float"):
        load_onnx(corpus / "onnx" / "original" / "esp_streaming_model.onnx")


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot be read"):
        load_onnx(tmp_path / "absent.onnx")


def test_description_names_operators(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    onnx.save(_small_model(), path)
    description = describe_onnx(path)
    assert description.macs == 4 * 36 * 27 + 36 * 5
    assert all(operator.supported for operator in description.operators)


def _damaged(content: bytes, generator: random.Random) -> bytes:
    data = bytearray(content)
    kind = generator.randrange(4)
    if kind == 0:
        return bytes(data[: generator.randrange(len(data))])
    if kind == 1:
        return generator.randbytes(generator.randrange(2000))
    if kind == 2:
        start = generator.randrange(len(data))
        data[start : start + generator.randrange(50)] = generator.randbytes(generator.randrange(50))
        return bytes(data)
    for _ in range(generator.randint(1, 8)):
        data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
    return bytes(data)


def test_damaged_files_end_in_one_line(tmp_path: Path) -> None:
    content = _small_model().SerializeToString()
    generator = random.Random(5)
    path = tmp_path / "damaged.onnx"
    for _ in range(5000 if SLOW else 300):
        path.write_bytes(_damaged(content, generator))
        try:
            load_onnx(path)
        except TinyccError as error:
            assert "\n" not in str(error)
