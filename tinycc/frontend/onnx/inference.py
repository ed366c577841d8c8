"""Types, shapes and constants of an ONNX graph's tensors, as ONNX infers them."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference

from tinycc.errors import ModelError
from tinycc.frontend.onnx.messages import first_line

MAX_TENSOR_ELEMENTS = 1 << 28


def infer_shapes(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` with the type and shape of every tensor inferred anew."""
    del model.graph.value_info[:]
    try:
        inferred = shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    except Exception as error:
        raise ModelError(f"{path}: contradicts itself: {first_line(error)}") from error
    for value in (*inferred.graph.value_info, *inferred.graph.output):
        if np.prod([float(dim.dim_value) for dim in value.type.tensor_type.shape.dim]) > MAX_TENSOR_ELEMENTS:
            raise ModelError(f"{path}: tensor {value.name!r} has more than {MAX_TENSOR_ELEMENTS} elements")
    return inferred


def shapes_of(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of a model whose dimensions are all known."""
    shapes = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        tensor_type = value.type.tensor_type
        dims = tensor_type.shape.dim
        if tensor_type.HasField("shape") and all(dim.HasField("dim_value") for dim in dims):
            shapes[value.name] = tuple(dim.dim_value for dim in dims)
    return shapes


def types_of(model: onnx.ModelProto) -> dict[str, int]:
    """The element type (onnx.TensorProto.DataType) of every tensor."""
    types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        types[value.name] = value.type.tensor_type.elem_type
    return types


def constants_of(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """The initializers by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
