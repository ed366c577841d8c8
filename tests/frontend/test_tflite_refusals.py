"""Operands that TFLite refuses, or that have no kernel: one line that names the operator and the fault."""

from pathlib import Path

import numpy as np
import pytest

import tinycc
from tests.tools.tflite_layers import Layer, Operand, write_layers
from tinycc.errors import TinyccError

SHAPE = (1, 4, 6)
IMAGE = Operand(SHAPE)
PRODUCT = {"AdjX": False, "AdjY": True, "AsymmetricQuantizeInputs": False}


def numbers(*values: int) -> Operand:
    return Operand((len(values),), "int32", (), data=np.array(values))


def product(left: Operand, right: Operand, dtype: str = "int8") -> Layer:
    return Layer("BATCH_MATMUL", (left, right), (Operand((1, 4, 4), dtype),), "BatchMatMulOptions", PRODUCT)


def rows(scale: float | tuple[float, ...]) -> Operand:
    return Operand((4, 6), scale=scale, data=np.ones((4, 6)))


def backwards(stride: int) -> Layer:
    fields = {f"{name}Mask": 0 for name in ("Begin", "End", "Ellipsis", "NewAxis", "ShrinkAxis")}
    operands = (IMAGE, numbers(0, 0, 5), numbers(1, 4, -6), numbers(1, 1, stride))
    return Layer("STRIDED_SLICE", operands, (IMAGE,), "StridedSliceOptions", {**fields, "Offset": True})


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (product(Operand(SHAPE, "int16"), Operand(SHAPE, "int16"), "int16"), "is of int16, only int8"),
        (product(IMAGE, Operand(SHAPE, "int16")), "multiplies int8 by int16"),
        (product(IMAGE, rows((0.1, 0.2, 0.3, 0.4))), "has 4 scales of layer0_in1, not one"),
        (product(IMAGE, Operand((6,), data=np.ones(6))), "needs matrices"),
        (
            Layer("GATHER_ND", (IMAGE, Operand((1, 2), "int32", (), data=np.array([[0, 4]]))), (IMAGE,)),
            "takes elements beyond",
        ),
        (
            Layer("GATHER_ND", (IMAGE, Operand((1, 4), "int32", (), data=np.zeros((1, 4)))), (IMAGE,)),
            "has indices of shape",
        ),
        (backwards(-1), "has the stride -1 and Offset"),
        (backwards(0), "has a stride of 0"),
        (Layer("LESS", (IMAGE, IMAGE), (Operand(SHAPE, "bool", ()),)), "is of quantized numbers"),
        (Layer("SIN", (IMAGE,), (IMAGE,)), "is of quantized numbers"),
        (Layer("LOG_SOFTMAX", (IMAGE,), (IMAGE,)), "needs an output of scale 1/16 and zero point 127"),
        (Layer("IF", (IMAGE,), (IMAGE,)), "operators that are not supported: IF"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_refused(layer: Layer, message: str, tmp_path: Path) -> None:
    path = tmp_path / "layer.tflite"
    path.write_bytes(write_layers([layer]))
    with pytest.raises(TinyccError) as refusal:
        tinycc.compile(path)
    text = str(refusal.value)
    assert message in text and layer.kind in text and "\n" not in text
