"""Numbers of 16 bits become those of 32, which microcontrollers compute with."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

# Attributes that name an element type.
_TYPES = ("to", "output_dtype", "precision", "stash_type", "dtype")


def widen_halves(model: onnx.ModelProto) -> list[str]:
    """Make float32 of float16 throughout, in place; a sentence that says so where there was any."""
    found = False
    for tensor in _tensors(model):
        if tensor.data_type == TensorProto.FLOAT16:
            wide = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(wide, tensor.name))
            found = True
    for value in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        tensor_type = value.type.tensor_type
        if tensor_type.elem_type == TensorProto.FLOAT16:
            tensor_type.elem_type = TensorProto.FLOAT
            found = True
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in _TYPES and attribute.i == TensorProto.FLOAT16:
                attribute.i = TensorProto.FLOAT
                found = True
    return ["What is float16 in the file is float32 here."] if found else []


def _tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    yield from model.graph.initializer
    for node in model.graph.node:
        yield from (item.t for item in node.attribute if item.type == onnx.AttributeProto.TENSOR)
