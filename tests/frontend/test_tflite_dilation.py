"""Dilated convolutions between SPACE_TO_BATCH_ND and BATCH_TO_SPACE_ND, against LiteRT."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinycc
from tests.tools.tflite_writer import ACTIVATION, PADDING, TFLiteWriter, run_litert
from tinycc.errors import UnsupportedError

IN: dict[str, Any] = {"scale": 0.1, "zero_point": 3}
MIDDLE: dict[str, Any] = {"scale": 0.5, "zero_point": -3}
OUT: dict[str, Any] = {"scale": 0.4, "zero_point": 7}
CHANNELS, FILTERS = 3, 4


@dataclass(frozen=True)
class Case:
    """size: rows and columns, or elements in time. kernel, block: as many. widths: of the padding.

    crops: of the result.
    between: what stands behind the convolution. is_flat: the layer is one-dimensional to SPACE_TO_BATCH_ND,
    the convolution stands between reshapes.
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    block: tuple[int, ...]
    widths: Sequence[Sequence[int]]
    crops: Sequence[Sequence[int]]
    kind: str = "CONV_2D"
    between: tuple[str, ...] = ()
    is_flat: bool = False
    padding: str = "VALID"


CASES = {
    "causal": Case((1, 16), (1, 3), (1, 2), [[0, 0], [4, 0]], [[0, 0], [0, 0]]),
    "causal, one axis": Case((16,), (3,), (2,), [[4, 0]], [[0, 0]], is_flat=True),
    "same": Case((8, 12), (3, 3), (2, 3), [[2, 2], [3, 3]], [[0, 0], [0, 0]]),
    "same, not by multiples": Case((7, 10), (3, 3), (2, 3), [[2, 3], [3, 5]], [[0, 1], [0, 2]]),
    "valid": Case((8, 9), (2, 3), (2, 3), [[0, 0], [0, 0]], [[0, 0], [0, 0]]),
    "depthwise": Case((7, 10), (3, 3), (2, 3), [[2, 3], [3, 5]], [[0, 1], [0, 2]], "DEPTHWISE_CONV_2D"),
    "bias and activation": Case(
        (8, 12), (3, 3), (2, 2), [[2, 2], [2, 2]], [[0, 0], [0, 0]], between=("ADD", "RELU", "QUANTIZE")
    ),
    "flat, with all": Case((15,), (3,), (4,), [[8, 1]], [[0, 1]], is_flat=True, between=("ADD", "RELU")),
    "pointwise": Case((8, 12), (1, 1), (2, 2), [[0, 0], [2, 2]], [[0, 0], [1, 1]], padding="SAME"),
}  # fmt: skip


def _model(case: Case) -> bytes:
    generator = np.random.default_rng(0)
    net = TFLiteWriter()
    is_depthwise = case.kind == "DEPTHWISE_CONV_2D"
    filters = CHANNELS if is_depthwise else FILTERS
    x = net.add_tensor("x", (1, *case.size, CHANNELS), **IN)
    blocks = net.add_tensor("blocks", (len(case.block),), "int32", data=np.array(case.block))
    widths = net.add_tensor("widths", (len(case.block), 2), "int32", data=np.array(case.widths))
    crops = net.add_tensor("crops", (len(case.block), 2), "int32", data=np.array(case.crops))
    images = int(np.prod(case.block))
    small = tuple(
        (size + sum(pair)) // block
        for size, pair, block in zip(case.size, case.widths, case.block, strict=True)
    )
    value = net.add_tensor("cut", (images, *small, CHANNELS), **IN)
    net.add_operator("SPACE_TO_BATCH_ND", [x, blocks, widths], [value], "SpaceToBatchNDOptions")
    kernel = (1, *case.kernel) if case.is_flat else case.kernel
    if case.is_flat:
        value = _reshaped(net, value, "up", (images, 1, *small, CHANNELS), IN)
    shape = (1, *kernel, CHANNELS) if is_depthwise else (filters, *kernel, CHANNELS)
    weights = net.add_tensor("w", shape, scale=0.02, data=generator.integers(-127, 128, shape))
    bias = net.add_tensor("b", (filters,), "int32", scale=0.002, data=generator.integers(-900, 900, filters))
    if case.padding == "VALID":
        small = tuple(size - taps + 1 for size, taps in zip(small, case.kernel, strict=True))
    convolved = (images, 1, *small, filters) if case.is_flat else (images, *small, filters)
    result = net.add_tensor("convolved", convolved, **MIDDLE)
    extra = {"DepthMultiplier": 1} if is_depthwise else {}
    options = "DepthwiseConv2DOptions" if is_depthwise else "Conv2DOptions"
    net.add_operator(
        case.kind, [value, weights, bias], [result], options, Padding=PADDING[case.padding],
        StrideH=1, StrideW=1, DilationHFactor=1, DilationWFactor=1,
        FusedActivationFunction=ACTIVATION["NONE"], **extra,
    )  # fmt: skip
    value, quantization = result, MIDDLE
    if case.is_flat:
        value = _reshaped(net, value, "down", (images, *small, filters), MIDDLE)
    for kind in case.between:
        quantization = OUT if kind == "QUANTIZE" else MIDDLE
        following = net.add_tensor(f"after {kind}", (images, *small, filters), **quantization)
        operands = [value]
        if kind == "ADD":
            addend = generator.integers(-99, 99, filters)
            operands.append(net.add_tensor("addend", (filters,), scale=0.1, data=addend))
        net.add_operator(kind, operands, [following], "AddOptions" if kind == "ADD" else "")
        value = following
    final = tuple(
        size * block - sum(pair) for size, block, pair in zip(small, case.block, case.crops, strict=True)
    )
    y = net.add_tensor("y", (1, *final, filters), **quantization)
    net.add_operator("BATCH_TO_SPACE_ND", [value, blocks, crops], [y], "BatchToSpaceNDOptions")
    return net.finish([x], [y])


def _reshaped(
    net: TFLiteWriter, value: int, name: str, shape: tuple[int, ...], quantization: dict[str, Any]
) -> int:
    wanted = net.add_tensor(f"{name} shape", (len(shape),), "int32", data=np.array(shape))
    result = net.add_tensor(name, shape, **quantization)
    net.add_operator("RESHAPE", [value, wanted], [result], "ReshapeOptions", NewShape=shape)
    return result


def _inputs(case: Case) -> np.ndarray:
    return np.random.default_rng(1).integers(-128, 128, (1, *case.size, CHANNELS)).astype(np.int8)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_becomes_one_dilated_convolution(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(_model(case))
    x = _inputs(case)
    compiled = tinycc.compile(path)
    np.testing.assert_array_equal(compiled.run([x])[0], run_litert(path, [x[None]])[0][0])
    kinds = {operator["kind"] for operator in compiled.report["operators"]}
    assert kinds <= {"conv2d", "depthwise_conv2d", "add", "lookup", "requantize", "pad"}


def test_a_convolution_of_several_images_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(_model(replace(CASES["valid"], kernel=(3, 3), padding="SAME")))
    with pytest.raises(UnsupportedError, match=r"CONV_2D.* 6 images"):
        tinycc.compile(path)


def test_the_operators_alone(tmp_path: Path) -> None:
    net, zeros = TFLiteWriter(), [[0, 0], [0, 0]]
    x = net.add_tensor("x", (1, 4, 6, 3), **IN)
    y = net.add_tensor("y", (1, 2, 6, 3), **IN)
    blocks = net.add_tensor("blocks", (2,), "int32", data=np.array([2, 3]))
    widths = net.add_tensor("widths", (2, 2), "int32", data=np.array(zeros))
    crops = net.add_tensor("crops", (2, 2), "int32", data=np.array([[1, 1], [0, 0]]))
    cut = net.add_tensor("cut", (6, 2, 2, 3), **IN)
    net.add_operator("SPACE_TO_BATCH_ND", [x, blocks, widths], [cut], "SpaceToBatchNDOptions")
    positive = net.add_tensor("positive", (6, 2, 2, 3), **IN)
    net.add_operator("RELU", [cut], [positive])
    net.add_operator("BATCH_TO_SPACE_ND", [positive, blocks, crops], [y], "BatchToSpaceNDOptions")
    path = tmp_path / "model.tflite"
    path.write_bytes(net.finish([x], [y]))
    values = np.arange(-36, 36, dtype=np.int8).reshape(1, 4, 6, 3)
    expected = run_litert(path, [values[None]])[0][0]
    np.testing.assert_array_equal(tinycc.compile(path).run([values])[0], expected)
