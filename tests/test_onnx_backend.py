"""ONNX's backend interface runs the generated C, and a sample of ONNX's own node tests passes through it.

All of those that the corpus names: `scripts/onnx_node_tests.py`, and here where TINYCC_SLOW=1.
"""

import os
import re
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

from tinycc import onnx_backend
from tinycc.errors import InputDataError
from tinycc.onnx_backend import TinyccRep, as_array, inputs_of

SLOW = os.environ.get("TINYCC_SLOW") == "1"
# One for each way of computing that the operators have, integers and edges of each type.
SAMPLE = (
    "test_add_uint64", "test_averagepool_3d_default", "test_batchnorm_epsilon_training_mode",
    "test_clip_min_greater_than_max", "test_convinteger_with_padding", "test_convtranspose_dilations",
    "test_convtranspose_group_2", "test_dynamicquantizelinear", "test_gather_elements_negative_indices",
    "test_gathernd_example_int32_batch_dim1", "test_gru_seq_length", "test_lstm_with_peepholes",
    "test_maxpool_with_argmax_2d_precomputed_strides", "test_mul_uint8",
    "test_qlinearmatmul_3D_uint8_float16", "test_quantizelinear_blocked_asymmetric",
    "test_resize_downsample_scales_cubic_antialias",
    "test_resize_tf_crop_and_resize_extrapolation_value", "test_softmax_axis_0",
    "test_cumsum_2d_negative_axis",
)  # fmt: skip
NO_TENSORS = {
    "test_identity_opt", "test_identity_sequence", "test_split_to_sequence_1", "test_split_to_sequence_2",
    "test_split_to_sequence_nokeepdims",
}  # fmt: skip
NO_ELEMENTS = {
    "test_reduce_sum_empty_set", "test_reduce_sum_empty_set_non_reduced_axis_zero",
    "test_reduce_sum_square_empty_set", "test_reshape_allowzero_reordered", "test_slice_start_out_of_bounds",
    "test_split_zero_size_splits_opset13", "test_split_zero_size_splits_opset18",
}  # fmt: skip


@pytest.fixture(scope="module")
def cases() -> dict[str, TestCase]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # overflows that ONNX computes on purpose
        return {case.name: case for case in load_model_tests(kind="node")}


def _check(case: TestCase, constants: tuple[str, ...] = ()) -> TinyccRep:
    assert case.data_sets is not None
    inputs, expected = case.data_sets[0]
    model = onnx_backend.prepare(case.model, constants=constants)
    for output, value in zip(model.run(inputs), expected, strict=True):
        wanted = as_array(value)
        assert (output.shape, output.dtype) == (wanted.shape, wanted.dtype)
        np.testing.assert_allclose(output, wanted, case.rtol, case.atol)
    assert not model.warnings
    return model


def _kinds(model: TinyccRep) -> list[str]:
    assert model.compiled is not None
    return [step.operator.kind for step in model.compiled.plan.steps]


@pytest.mark.parametrize("name", SAMPLE)
def test_a_node_test_passes(name: str, cases: dict[str, TestCase]) -> None:
    _check(cases[name])


@pytest.mark.slow
@pytest.mark.skipif(not SLOW, reason="takes minutes: set TINYCC_SLOW=1")
def test_all_of_the_corpus_pass_but_those_without_tensors(corpus: Path, cases: dict[str, TestCase]) -> None:
    names = re.findall(r"\btest_\w+", (corpus / "ONNX_NODE_TESTS.md").read_text(encoding="utf-8"))
    for name in sorted(set(names) & cases.keys() - NO_TENSORS - NO_ELEMENTS):
        _check(cases[name])


def test_weights_that_are_constants_are_a_layer(cases: dict[str, TestCase]) -> None:
    case = cases["test_qlinearconv"]
    assert "conv2d" in _kinds(_check(case, tuple(inputs_of(case.model)[1:])))


def test_a_node_runs_alone_on_several_images() -> None:
    node = helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2])
    x = np.random.default_rng(1).standard_normal((3, 2, 4, 6), np.float32)
    [y] = onnx_backend.run_node(node, [x])
    np.testing.assert_array_equal(y, x.reshape(3, 2, 2, 2, 3, 2).max(axis=(3, 5)))


def test_an_index_out_of_bounds_reads_nothing_outside() -> None:
    node = helper.make_node("Gather", ["x", "i"], ["y"])
    x, i = np.arange(4, dtype=np.float32), np.array([-9, 0, 9, -1], np.int64)
    [y] = onnx_backend.run_node(node, [x, i])
    np.testing.assert_array_equal(y, x[i % 4])


def test_only_the_host_is_supported() -> None:
    assert onnx_backend.supports_device("CPU") and not onnx_backend.supports_device("CUDA")


def test_a_wrong_number_of_arrays_is_said() -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "graph", [value], [result])
    model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    with pytest.raises(InputDataError, match="the model has 1 inputs, 2 arrays were given"):
        onnx_backend.run_model(model, [np.zeros((1, 2), np.float32)] * 2)
