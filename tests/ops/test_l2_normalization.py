"""L2 normalization for any output scale against real arithmetic; for TFLite's, TFLite itself is asked."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import tvm
from onnx import TensorProto, helper
from tvm import relax

import tinycc
from tests.tools.kernel_runner import (
    check_overlap,
    compile_and_run,
    dequantized,
    module_of,
    quantized,
    views_in,
)

SCALE, ZERO_POINT, OUTPUT_ZERO_POINT = 0.05, -7, 11


def norm_module(shape: tuple[int, ...], scale: float, axis: int = -1) -> tvm.IRModule:
    def body(x: relax.Expr) -> relax.Expr:
        real = [dequantized(x, SCALE, ZERO_POINT) for _ in range(3)]
        length = relax.op.sqrt(relax.op.sum(relax.op.multiply(*real[:2]), axis, keepdims=True))
        quotient = relax.op.divide(real[2], relax.op.clip(length, 1e-6, np.inf))
        return quantized(quotient, scale, OUTPUT_ZERO_POINT)

    return module_of([(shape, "int8")], body)


def pixels(channels: int) -> np.ndarray:
    """Random ones, one without length, one of a single step, one of both ends."""
    values = np.random.default_rng(channels).integers(-128, 128, (1, 9, channels)).astype(np.int8)
    values[0, :2], values[0, 1, 0], values[0, 2, ::2], values[0, 2, 1::2] = (
        ZERO_POINT,
        ZERO_POINT + 1,
        -128,
        127,
    )
    return values


def normalized(values: np.ndarray, scale: float) -> np.ndarray:
    """What is to be rounded, over the last axis, as float64."""
    steps = values.astype(np.float64) - ZERO_POINT
    length = np.sqrt((steps**2).sum(-1, keepdims=True))
    result = steps / np.maximum(length, 1e-6) / np.float32(scale) + OUTPUT_ZERO_POINT
    return np.asarray(np.clip(result, -128, 127))


@pytest.mark.parametrize(
    ("channels", "scale"), [(1, 0.02), (3, 0.0079), (64, 0.003), (700, 0.0011), (8, 3.0)]
)
def test_results_are_a_step_of_15_bits_off_at_most(channels: int, scale: float) -> None:
    values = pixels(channels)
    module = norm_module(values.shape, scale)
    assert [view.kind for view in views_in(module)] == ["l2_normalization"]
    [result] = compile_and_run(module, [values])
    # The fine result is half a step off, and rounded in itself.
    near = 2.0**-15 / scale
    assert np.abs(result - normalized(values, scale)).max() <= 0.5 + near


def test_in_place() -> None:
    check_overlap(norm_module((1, 9, 8), 1 / 128), [pixels(8)])


@pytest.mark.parametrize("module", [norm_module((1, 9, 8), 0.01, axis=1), norm_module((1, 1, 40_000), 0.01)])
def test_other_axes_and_longer_vectors_are_other_operators(module: tvm.IRModule) -> None:
    assert "l2_normalization" not in [item["kind"] for item in tinycc.compile(module).report["operators"]]


def test_onnx_files_have_it_too(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["x"]),
        helper.make_node("LpNormalization", ["x"], ["n"], axis=-1, p=2),
        helper.make_node("QuantizeLinear", ["n", "t", "u"], ["y"]),
    ]
    constants = [
        helper.make_tensor(name, dtype, (), [value])
        for name, dtype, value in (
            ("s", TensorProto.FLOAT, SCALE), ("z", TensorProto.INT8, ZERO_POINT),
            ("t", TensorProto.FLOAT, 0.01), ("u", TensorProto.INT8, OUTPUT_ZERO_POINT),
        )
    ]  # fmt: skip
    tensors = [helper.make_tensor_value_info(name, TensorProto.INT8, (1, 9, 8)) for name in "qy"]
    graph = helper.make_graph(nodes, "norm", tensors[:1], tensors[1:], constants)
    path = tmp_path / "norm.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10), path)
    compiled = tinycc.compile(path)
    assert [step.operator.kind for step in compiled.plan.steps] == ["l2_normalization"]
    [result] = compiled.run([pixels(8)])
    assert np.abs(result - normalized(pixels(8), 0.01)).max() <= 0.51
