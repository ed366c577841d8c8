"""uint8 at the edges of TFLite files, and what may stand between an edge and the int8 network."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import tinycc
from tests.tools.tflite_writer import PADDING, TFLiteWriter, run_litert
from tinycc.errors import UnsupportedError
from tinycc.frontend.load import describe_model

BYTES = np.random.default_rng(0).permutation(256).astype(np.uint8).reshape(1, 1, 16, 16, 1)
SHAPE = (1, 16, 16, 1)
Net = Callable[[TFLiteWriter, int], int]


def add(
    net: TFLiteWriter, kind: str, source: int, shape: tuple[int, ...], dtype: str, **fields: object
) -> int:
    """An operator of one tensor and constants, and its output; uint8 is quantized like the input."""
    constants = [
        net.add_tensor(name, np.shape(value), "int32", data=np.asarray(value))  # type: ignore[arg-type]
        for name, value in fields.items()
    ]
    scale, zero_point = {"uint8": (0.05, 130), "int8": (0.05, 2), "int32": (None, 0)}[dtype]
    output = net.add_tensor(kind.lower(), shape, dtype, scale, zero_point)
    net.add_operator(kind, [source, *constants], [output])
    return output


def moved(net: TFLiteWriter, x: int) -> int:
    padded = add(net, "PAD", x, (1, 18, 16, 1), "uint8", widths=[[0, 0], [1, 1], [0, 0], [0, 0]])
    turned = add(net, "TRANSPOSE", padded, (1, 16, 18, 1), "uint8", axes=[0, 2, 1, 3])
    part = add(net, "SLICE", turned, (1, 8, 18, 1), "uint8", begin=[0, 3, 0, 0], size=[1, 8, 18, 1])
    return add(net, "QUANTIZE", add(net, "RESHAPE", part, (1, 144), "uint8", to=[1, 144]), (1, 144), "int8")


def rescaled(net: TFLiteWriter, x: int) -> int:
    y = net.add_tensor("y", SHAPE, "uint8", 0.071, 3)
    net.add_operator("QUANTIZE", [x], [y])
    return y


def table(net: TFLiteWriter, x: int) -> int:
    y = net.add_tensor("y", SHAPE, "int8", 1 / 256, -128)
    net.add_operator("LOGISTIC", [add(net, "QUANTIZE", x, SHAPE, "int8")], [y])
    result = net.add_tensor("result", SHAPE, "uint8", 1 / 256, 0)
    net.add_operator("QUANTIZE", [y], [result])
    return result


def index(net: TFLiteWriter, x: int) -> int:
    y = net.add_tensor("y", (1, 16, 1), "int32")
    axis = net.add_tensor("axis", (), "int32", data=np.array(2))
    net.add_operator("ARG_MAX", [x, axis], [y], "ArgMaxOptions", OutputType=2)
    return y


def real(net: TFLiteWriter, x: int) -> int:
    y = net.add_tensor("y", SHAPE, "float32")
    net.add_operator("DEQUANTIZE", [x], [y])
    return y


def itself(_net: TFLiteWriter, x: int) -> int:
    return x


# Networks and the operators that are left of them.
NETWORKS: dict[str, tuple[Net, list[str]]] = {
    "moved": (moved, ["requantize", "pad", "strided_copy", "strided_copy"]),
    "rescaled": (rescaled, ["requantize"]),
    "table": (table, ["lookup"]),
    "index": (index, ["arg_max"]),
    "real": (real, ["dequantize"]),
    "itself": (itself, []),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_litert(name: str, tmp_path: Path) -> None:
    network, kinds = NETWORKS[name]
    net, path = TFLiteWriter(), tmp_path / "bytes.tflite"
    x = net.add_tensor("x", SHAPE, "uint8", 0.05, 130)
    y = network(net, x)
    if not kinds:  # LiteRT wants an operator
        add(net, "RESHAPE", x, (1, 256), "uint8", to=[1, 256])
    path.write_bytes(net.finish([x], [y]))
    assert all(op.supported for op in describe_model(path).operators)
    model = tinycc.compile(path, io="float")
    [expected], [result] = run_litert(path, [BYTES]), model.run([BYTES])
    np.testing.assert_array_equal(result, expected)
    assert result.dtype == expected.dtype
    assert [operator["kind"] for operator in model.report["operators"]] == kinds


def test_computing_with_uint8_is_the_legacy_quantization(tmp_path: Path) -> None:
    net, path = TFLiteWriter(), tmp_path / "legacy.tflite"
    x, y = (net.add_tensor(name, SHAPE, "uint8", 0.05, 130) for name in "xy")
    net.add_operator(
        "AVERAGE_POOL_2D", [x], [y], "Pool2DOptions", Padding=PADDING["VALID"], FilterHeight=1, FilterWidth=1,
        StrideH=1, StrideW=1,
    )  # fmt: skip
    path.write_bytes(net.finish([x], [y]))
    assert [op.reason for op in describe_model(path).operators if "legacy uint8" in op.reason]
    with pytest.raises(UnsupportedError, match=r"AVERAGE_POOL_2D.* legacy uint8 quantization"):
        tinycc.compile(path)
