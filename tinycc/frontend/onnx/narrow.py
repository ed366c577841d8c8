"""Weights of four and of two bits become constants of eight; the compiler says how they lie in flash."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

from tinycc.errors import ModelError
from tinycc.frontend.onnx.features import NARROW_TYPES, element_type, tensors_of
from tinycc.frontend.onnx.inference import constants_of, types_of
from tinycc.frontend.onnx.rewriting import GraphEditor

SIGNED = (TensorProto.INT4, TensorProto.INT2)


def stored_bytes(tensor: TensorProto) -> int:
    """What the elements of a tensor take, narrow integers several a byte."""
    if tensor.data_type in NARROW_TYPES:
        return -(-math.prod(tensor.dims) * NARROW_TYPES[tensor.data_type] // 8)
    return math.prod(tensor.dims) * int(helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)


def check_packing(path: Path, model: onnx.ModelProto) -> None:
    """ModelError for narrow integers that are not packed as ONNX packs them, several a byte."""
    for tensor in tensors_of(model):
        if tensor.data_type not in NARROW_TYPES:
            continue
        bits, kind = NARROW_TYPES[tensor.data_type], element_type(tensor.data_type)
        wanted = stored_bytes(tensor)
        found = len(tensor.raw_data) if tensor.HasField("raw_data") else len(tensor.int32_data)
        if found != wanted or any(not -128 <= value < 256 for value in tensor.int32_data):
            raise ModelError(
                f"{path}: tensor {tensor.name!r}, {kind} {list(tensor.dims)}, is not {wanted:,} "
                f"bytes of {8 // bits} integers each (it has {found:,}); write the file again"
            )


def narrow_refusal(node: onnx.NodeProto, types: Mapping[str, int]) -> str | None:
    """Why a node cannot be taken whose result is narrow integers; None if it is not. Constants are folded.

    What else ONNX lets read them moves them, or dequantizes them.
    """
    for name in node.output:
        if types.get(name) in NARROW_TYPES:
            return f"{element_type(types[name])} activations are not supported; quantize them to int8"
    return None


def widen_narrow_weights(model: onnx.ModelProto) -> None:
    """Make int8 or uint8 of the narrow integers that are dequantized and of their zero points, in place.

    `narrow_refusal` has looked at every node, and every quantization names its zero point.
    """
    constants = constants_of(model)
    narrow = {name: kind for name, kind in types_of(model).items() if kind in NARROW_TYPES}
    GraphEditor(model).replace_constants(
        {
            name: constants[name].astype(np.int8 if kind in SIGNED else np.uint8)
            for name, kind in narrow.items()
        }
    )
