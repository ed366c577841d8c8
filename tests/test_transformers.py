"""Small transformers through the doors of torch and of ONNX: all in kernels, in float and in int8."""

import warnings
from pathlib import Path

import numpy as np
import pytest

import tinycc

pytest.importorskip("torch")
pytest.importorskip("torchao.quantization.pt2e")
pytest.importorskip("onnxruntime")

import torch

from tests.frontend.torch_tools import torch_outputs
from tests.tools.corpus import SLOW
from tests.tools.isolated import roundings
from tests.tools.tiny_transformer import Mask, TinyTransformer, sentences
from tinycc.compiler import CompiledModel
from tinycc.quantization.signal import agreement, signal_to_noise

MASKS: list[Mask] = ["none", "given", "filled"]
# The int8 model's, of sharp attention and random weights.
DECIBELS, AGREEMENT = 22.0, 0.85


def scores(model: TinyTransformer, cases: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        return torch.stack([model(case) for case in cases]).numpy()


def real(compiled: CompiledModel, cases: np.ndarray) -> np.ndarray:
    [edge], [found] = compiled.report["outputs"], compiled.run([cases])
    return found if edge["scale"] is None else (found.astype(float) - edge["zero_point"]) * edge["scale"]


def check_int8(compiled: CompiledModel, model: TinyTransformer, cases: torch.Tensor) -> None:
    kinds = {step.operator.kind for step in compiled.plan.steps}
    assert compiled.report["fallbacks"] == []
    assert not kinds & {"expression", "quantize", "dequantize"}
    right = scores(model, cases)
    found = real(compiled, cases.numpy()).reshape(right.shape)
    assert signal_to_noise([right], [found]) >= DECIBELS
    assert agreement(right.reshape(-1, right.shape[-1]), found.reshape(-1, right.shape[-1])) >= AGREEMENT


@pytest.mark.parametrize("mask", MASKS)
def test_a_float_module_agrees_with_torch(mask: Mask) -> None:
    model, cases = TinyTransformer(mask), sentences(4, 5)
    compiled = tinycc.compile(model, example_inputs=cases[0], allow_float=True)
    right = scores(model, cases)
    found = real(compiled, cases.numpy()).reshape(right.shape)
    assert np.abs(found - right).max() <= 1e-4 * np.abs(right).max()


@pytest.mark.parametrize("mask", MASKS if SLOW else ["given"])
def test_an_int8_module_has_nothing_in_float(mask: Mask) -> None:
    """And the C is as near to the float model as the torch program is."""
    model, cases = TinyTransformer(mask), sentences(16, 5)
    program = tinycc.quantize(model, list(sentences(32, 1)), example_inputs=cases[0])
    compiled = tinycc.compile(program)
    check_int8(compiled, model, cases)
    right = scores(model, cases)
    own = np.stack([torch_outputs(program, (case,))[0] for case in cases])
    found = real(compiled, cases.numpy()).reshape(right.shape)
    assert signal_to_noise([right], [found]) >= signal_to_noise([right], [own]) - 1


def test_indices_may_be_int32() -> None:
    model, cases = TinyTransformer(), sentences(4, 5, torch.int32)
    compiled = tinycc.compile(model, example_inputs=cases[0], calibration=list(sentences(8, 1, torch.int32)))
    assert compiled.report["inputs"][0]["dtype"] == "int32"
    check_int8(compiled, model, cases)


@pytest.mark.parametrize("mask", MASKS)
def test_an_int8_onnx_file_has_nothing_in_float(
    mask: Mask, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Given onnxruntime's integers each layer is rounded as docs/numerics.md derives."""
    model, cases = TinyTransformer(mask), sentences(16, 5)
    path = tmp_path / "model.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of the exporter about itself
        torch.onnx.export(model, (cases[0],), path, opset_version=17, dynamo=False)
    quantized = tinycc.quantize(path, [case.numpy() for case in sentences(32, 1)])
    assert not caplog.records  # of onnxruntime, about vectors that have no axis of channels
    compiled = tinycc.compile(quantized)
    check_int8(compiled, model, cases)
    for operator, rounding in roundings(compiled, quantized.content, [(cases[0].numpy(),)]).items():
        assert len(rounding.steps) <= 2, operator
        # A product with a number is a table, and what moves its result is off by as much.
        assert rounding.error <= rounding.allowed or operator.startswith(("lookup", "strided_copy")), operator
