"""Reading ONNX files: what is malformed or out of bounds ends here, in one line."""

from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference

from tinycc.errors import ModelError, UnsupportedError

MAX_FILE_BYTES = 256 << 20
MAX_TENSOR_ELEMENTS = 1 << 28
OPSETS = range(11, 22)
FLOATS_REFUSED = {onnx.TensorProto.FLOAT16: "float16", onnx.TensorProto.BFLOAT16: "bfloat16"}


def read_onnx(path: Path) -> onnx.ModelProto:
    """The checked model of a file, with batch 1, inferred shapes and no initializers among its inputs.

    Raises ModelError for files that are missing, too large or malformed, UnsupportedError for what tinycc
    does not read: external data, float16, other opsets, dynamic shapes, a batch greater than 1.
    """
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ModelError(f"{path}: larger than {MAX_FILE_BYTES >> 20} MB, which no microcontroller holds")
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from error
    model = onnx.ModelProto()
    try:
        model.ParseFromString(content)
    except Exception as error:  # protobuf's DecodeError and, for bad UTF-8, others
        raise ModelError(f"{path}: not an ONNX file, or a damaged one") from error
    if not model.graph.node:
        raise ModelError(f"{path}: not an ONNX file, or one without operators")
    _refuse_unread_features(path, model)
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        raise ModelError(f"{path}: malformed ONNX: {first_line(error)}") from error
    _prepare_inputs(path, model)
    return infer_shapes(path, model)


def first_line(error: BaseException) -> str:
    """The first line of an error's text that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__


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


def _refuse_unread_features(path: Path, model: onnx.ModelProto) -> None:
    opset = max(
        (entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=None
    )
    if opset is not None and opset not in OPSETS:
        raise UnsupportedError(
            f"{path}: opset {opset}; convert the model to one of {OPSETS[0]} to {OPSETS[-1]} "
            "(onnx.version_converter)"
        )
    for tensor in model.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise UnsupportedError(
                f"{path}: tensor {tensor.name!r} is stored in another file; save it inside"
            )
        if tensor.data_type in FLOATS_REFUSED:
            kind = FLOATS_REFUSED[tensor.data_type]
            raise UnsupportedError(f"{path}: tensor {tensor.name!r} is {kind}; tinycc takes int8 models")
    for value in (*model.graph.input, *model.graph.output):
        kind = FLOATS_REFUSED.get(value.type.tensor_type.elem_type, "")
        if kind:
            raise UnsupportedError(f"{path}: {value.name!r} is {kind}; tinycc takes int8 models")


def _prepare_inputs(path: Path, model: onnx.ModelProto) -> None:
    """Drop initializers from the inputs; a symbolic batch dimension becomes 1."""
    initializers = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in initializers]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for value in model.graph.input:
        tensor_type = value.type.tensor_type
        if not tensor_type.HasField("shape"):
            raise UnsupportedError(f"{path}: input {value.name!r} has no shape; export it with fixed shapes")
        for axis, dim in enumerate(tensor_type.shape.dim):
            if dim.dim_value > 0:
                continue
            if axis > 0:
                raise UnsupportedError(
                    f"{path}: dimension {axis} of input {value.name!r} is dynamic; export fixed shapes"
                )
            dim.dim_value = 1
        dims = tensor_type.shape.dim
        if len(dims) > 1 and dims[0].dim_value != 1:
            raise UnsupportedError(
                f"{path}: input {value.name!r} has a batch of {dims[0].dim_value}; export it with batch 1"
            )
        if np.prod([float(dim.dim_value) for dim in dims]) > MAX_TENSOR_ELEMENTS:
            raise ModelError(f"{path}: input {value.name!r} has more than {MAX_TENSOR_ELEMENTS} elements")
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
