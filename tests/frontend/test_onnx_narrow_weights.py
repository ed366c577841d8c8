"""ONNX files whose weights have four or two bits: int8 in the module, the numbers of onnxruntime in C."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import tvm
from onnx import TensorProto, helper, numpy_helper

import tinycc
from tests.frontend.test_onnx_operators import steps_apart
from tests.tools.onnx_graph import Graph, Shape
from tinycc import tvm_adapter
from tinycc.errors import ModelError, TinyccError, UnsupportedError
from tinycc.frontend.onnx import load_onnx
from tinycc.frontend.onnx.description import describe_onnx

Array = np.ndarray
LIMITS = {"int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}
# kind, shape of the input, of the weights, axis of their channels, attributes
LAYERS: dict[str, tuple[str, Shape, Shape, int, dict[str, Any]]] = {
    "convolution": ("Conv", (1, 3, 6, 5), (4, 3, 3, 3), 0, {"pads": [1, 1, 1, 1]}),
    "pointwise": ("Conv", (1, 6, 4, 4), (5, 6, 1, 1), 0, {}),
    "depthwise": ("Conv", (1, 4, 6, 5), (4, 1, 3, 3), 0, {"group": 4}),
    "grouped": ("Conv", (1, 4, 6, 5), (6, 2, 3, 3), 0, {"group": 2, "strides": [2, 1]}),
    "transposed": ("ConvTranspose", (1, 3, 4, 4), (3, 2, 3, 3), 1, {"strides": [2, 2]}),
    "dense": ("Gemm", (1, 9), (5, 9), 0, {"transB": 1}),
    "product": ("MatMul", (1, 9), (9, 5), 1, {}),
}


def narrow(graph: Graph, dtype: str, shape: Shape, axis: int | None, with_zero: bool) -> tuple[str, Array]:
    """Weights through DequantizeLinear, and their integers less the zero point."""
    low, high = LIMITS[dtype]
    stored = graph.random.integers(low, high + 1, shape)
    shape = () if axis is None else (shape[axis],)
    scale = graph.random.uniform(0.02, 0.06, shape).astype(np.float32)
    zero = np.full(shape, 1 + (low + high) // 2)
    kind = np.dtype(getattr(ml_dtypes, dtype))
    operands = [graph.constant(stored.astype(kind)), graph.constant(scale)]
    operands += [graph.constant(zero.astype(kind))] if with_zero else []
    attributes = {} if axis is None else {"axis": axis}
    return graph.call("DequantizeLinear", operands, **attributes)[0], stored - zero.flat[0] * with_zero


def layer(
    name: str, dtype: str, *, per_channel: bool = True, zero_point: bool = False
) -> tuple[Graph, Array]:
    """One layer, and the integers of its weights."""
    kind, shape, weights, axis, attributes = LAYERS[name]
    graph = Graph(25 if dtype.endswith("2") else 21)
    x = graph.input(shape, scale=0.02)
    w, stored = narrow(graph, dtype, weights, axis if per_channel else None, zero_point)
    graph.output(graph.call(kind, [x, w], **attributes)[0], scale=0.02)
    return graph, stored


def stored_weights(path: Path) -> Array:
    """The one constant of more than one dimension in the module."""
    constants = [
        tvm_adapter.constant_value(call.args[0])
        for binding in tvm_adapter.bindings_of(load_onnx(path)["main"])
        if tvm_adapter.op_name(call := binding.value) == "relax.dequantize"
        and tvm_adapter.is_constant(call.args[0])
    ]
    [weights] = [value for value in constants if value.ndim > 1]
    return weights


@pytest.mark.parametrize("name", LAYERS)
def test_layers_agree_with_onnxruntime(name: str, tmp_path: Path) -> None:
    """Of unsigned weights whose zero point is the middle of their range."""
    graph, stored = layer(name, "uint4", zero_point=True)
    path = graph.save(tmp_path)
    weights = stored_weights(path)
    assert weights.min() == -8 and weights.max() == 7
    assert weights.dtype == np.int8 and sorted(weights.flat) == sorted(stored.flat)
    assert steps_apart(path) <= 1
    assert not tinycc.compile(path).report["fallbacks"]


@pytest.mark.parametrize("zero_point", [False, True])
@pytest.mark.parametrize("dtype", LIMITS)
def test_integers_of_every_type_are_less_their_zero_point(
    dtype: str, zero_point: bool, tmp_path: Path
) -> None:
    """Of an unsigned type they are in the range of the signed one then, if the zero point is its middle."""
    graph, stored = layer("convolution", dtype, per_channel=zero_point, zero_point=zero_point)
    path = graph.save(tmp_path)
    assert sorted(stored_weights(path).flat) == sorted(stored.flat)
    assert steps_apart(path) <= 1


def test_weights_may_be_quantized_and_moved_in_the_file(tmp_path: Path) -> None:
    """Real numbers through QuantizeLinear to int4, transposed as integers, from a Constant."""
    graph = Graph(21)
    x, scale = graph.input((1, 6), scale=0.02), graph.constant(np.float32(0.05))
    real = graph.random.uniform(-0.5, 0.5, (5, 6)).astype(np.float32)
    [weights] = graph.call("Constant", [], value=numpy_helper.from_array(real))
    [stored] = graph.call("QuantizeLinear", [weights, scale], output_dtype=TensorProto.INT4)
    [moved] = graph.call("Transpose", [stored], perm=[1, 0])
    graph.output(graph.call("MatMul", [x, *graph.call("DequantizeLinear", [moved, scale])])[0], scale=0.02)
    path = graph.save(tmp_path)
    expected = np.clip(np.rint(real / np.float32(0.05)), -8, 7).T
    np.testing.assert_array_equal(stored_weights(path), expected)
    assert steps_apart(path) <= 1


def test_a_float_layer_has_what_the_integers_stand_for(tmp_path: Path) -> None:
    """Also where each block of them has a scale."""
    graph = Graph(21)
    graph.inputs.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 8)))
    stored = graph.random.integers(-8, 8, (8, 4))
    scales = graph.random.uniform(0.02, 0.06, (2, 4)).astype(np.float32)
    operands = [graph.constant(stored.astype(ml_dtypes.int4)), graph.constant(scales)]
    [weights] = graph.call("DequantizeLinear", operands, axis=0, block_size=4)
    graph.outputs.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 4)))
    graph.nodes.append(helper.make_node("MatMul", ["x", weights], ["y"]))
    x = graph.random.normal(size=(1, 1, 8)).astype(np.float32)
    compiled = tinycc.compile(graph.save(tmp_path), allow_float=True)
    assert [step.operator.kind for step in compiled.plan.steps] == ["dense"]
    np.testing.assert_allclose(compiled.run([x])[0], x @ (stored * scales.repeat(4, 0)), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("outputs", [1, 5])
def test_a_block_as_long_as_its_axis_is_a_scale_for_each_channel(outputs: int, tmp_path: Path) -> None:
    graph = Graph(21)
    stored = graph.random.integers(0, 16, (8, outputs))
    scales = graph.random.uniform(0.02, 0.06, (1, outputs)).astype(np.float32)
    middle = np.full((1, outputs), 8, ml_dtypes.uint4)
    operands = [graph.constant(value) for value in (stored.astype(ml_dtypes.uint4), scales, middle)]
    [weights] = graph.call("DequantizeLinear", operands, axis=0, block_size=8)
    graph.output(graph.call("MatMul", [graph.input((1, 8), scale=0.02), weights])[0], scale=0.02)
    path = graph.save(tmp_path)
    assert sorted(stored_weights(path).flat) == sorted(stored.flat - np.int64(8))
    assert steps_apart(path) <= 1


def activations(graph: Graph) -> None:
    operands = [graph.input((1, 4)), graph.constant(np.float32(0.1))]
    [narrowed] = graph.call("QuantizeLinear", operands, output_dtype=TensorProto.INT4)
    graph.output(graph.call("DequantizeLinear", [narrowed, operands[1]])[0])


def blocks(graph: Graph) -> None:
    operands = [graph.constant(np.zeros((8, 4), ml_dtypes.int4)), graph.constant(np.ones((2, 4), np.float32))]
    [weights] = graph.call("DequantizeLinear", operands, axis=0, block_size=4)
    graph.output(graph.call("MatMul", [graph.input((1, 8)), weights])[0])


def scales(graph: Graph) -> None:
    operands = [graph.constant(np.zeros((8, 4), ml_dtypes.int4)), graph.constant(np.ones(3, np.float32))]
    [weights] = graph.call("DequantizeLinear", operands, axis=1)
    graph.output(graph.call("MatMul", [graph.input((1, 8)), weights])[0])


def matmul_n_bits(graph: Graph) -> None:
    stored = graph.constant(np.zeros((4, 1, 8), np.uint8))
    operands = [graph.input((1, 16)), stored, graph.constant(np.ones((4, 1), np.float32))]
    sizes = {"K": 16, "N": 4, "bits": 4, "block_size": 16, "domain": "com.microsoft"}
    graph.output(graph.call("MatMulNBits", operands, **sizes)[0])


REFUSED: dict[str, tuple[Callable[[Graph], None], str]] = {
    "activations": (
        activations,
        "QuantizeLinear 'QuantizeLinear1_0': int4 activations are not supported",
    ),
    "blocks": (
        blocks,
        r"for each block of 4 \(block_size\) are not supported; quantize them",
    ),
    "other scales": (scales, "3 scales for the 4 indices of axis 1"),
    "a product of blocks": (matmul_n_bits, "MatMulNBits 'MatMulNBits1_0': this operator of the domain"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_weights_by_channel_is_refused_by_name(name: str, tmp_path: Path) -> None:
    graph, (build, reason) = Graph(21), REFUSED[name]
    build(graph)
    path = tmp_path / "model.onnx"
    path.write_bytes(graph.model().SerializeToString())
    with pytest.raises(TinyccError, match=reason) as caught:
        load_onnx(path)
    assert "\n" not in str(caught.value)


def test_inspect_counts_the_bytes_of_the_file(tmp_path: Path) -> None:
    """27 weights, and quantizations of 5 bytes each, of which the weights' has a scale alone."""
    graph = Graph(21)
    w, _ = narrow(graph, "int4", (1, 3, 3, 3), None, False)
    graph.output(graph.call("Conv", [graph.input((1, 3, 3, 3)), w])[0])
    assert describe_onnx(graph.save(tmp_path)).weight_bytes == 14 + 4 + 5 + 5


def test_inspect_refuses_narrow_activations_too(tmp_path: Path) -> None:
    graph = Graph(21)
    activations(graph)
    reasons = [operator.reason for operator in describe_onnx(graph.save(tmp_path)).operators]
    assert any(reason.startswith("int4 activations are not supported") for reason in reasons)


def test_inputs_and_outputs_are_not_narrow(tmp_path: Path) -> None:
    graph = Graph(21)
    graph.inputs.append(helper.make_tensor_value_info("x", TensorProto.INT4, (1, 4)))
    graph.output(graph.call("DequantizeLinear", ["x", graph.constant(np.float32(0.1))])[0])
    with pytest.raises(UnsupportedError, match="'x' is int4, which is not supported; quantize to int8"):
        load_onnx(graph.save(tmp_path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"raw_data": b"\x10"}, r"'w', int4 \[2, 2\], is not 2 bytes of 2 integers each \(it has 1\)"),
        ({"raw_data": b"\x01\x02\x03\x04"}, r"is not 2 bytes of 2 integers each \(it has 4\)"),
        ({"int32_data": [1, 2, 3, 4]}, r"is not 2 bytes of 2 integers each \(it has 4\)"),
        ({"int32_data": [1, 256]}, "is not 2 bytes of 2 integers each"),
        ({}, r"is not 2 bytes of 2 integers each \(it has 0\)"),
    ],
)
def test_integers_must_be_packed(content: dict[str, Any], reason: str, tmp_path: Path) -> None:
    graph = Graph(21)
    graph.constants.append(TensorProto(name="w", data_type=TensorProto.INT4, dims=[2, 2], **content))
    weights = graph.call("DequantizeLinear", ["w", graph.constant(np.float32(0.1))])
    graph.output(graph.call("MatMul", [graph.input((1, 2)), *weights])[0])
    path = tmp_path / "model.onnx"
    path.write_bytes(graph.model().SerializeToString())
    with pytest.raises(ModelError, match=reason):
        load_onnx(path)


@pytest.mark.parametrize("target", ["cortex-m0", "cortex-m4", "cortex-m55"])
def test_weights_of_four_bits_take_half_the_flash(tmp_path: Path, target: str) -> None:
    """From the file to the C: the numbers of weights that lie one in a byte, by kernels for narrow ones."""
    graph = Graph(21)
    x = graph.input((1, 32, 4, 4), scale=0.02)
    pointwise, stored = narrow(graph, "int4", (64, 32, 1, 1), 0, False)
    [inner] = graph.call("Conv", [x, pointwise])
    graph.output(inner, scale=0.05)
    path = graph.save(tmp_path)
    compiled = tinycc.compile(path, target=target)
    with tvm.transform.PassContext(disabled_pass=["NarrowWeights"]):
        wide = tinycc.compile(path, target=target)
    assert {item["variant"] for item in compiled.report["operators"]} <= {
        "portable_narrow", "dsp_narrow", "helium_narrow"
    }  # fmt: skip
    saved = wide.report["weight_bytes"] - compiled.report["weight_bytes"]
    assert saved >= 0.45 * stored.size
    cases = np.random.default_rng(0).integers(-128, 128, (2, 32, 4, 4)).astype(np.int8)
    np.testing.assert_array_equal(compiled.run([cases])[0], wide.run([cases])[0])
