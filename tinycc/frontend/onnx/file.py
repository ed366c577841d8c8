"""Reading ONNX files: what is malformed or out of bounds ends here, in one line."""

import copy
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference

from tinycc.errors import ModelError, TinyccError, UnsupportedError
from tinycc.frontend.onnx.features import element_type, refuse_unread_features

MAX_FILE_BYTES = 256 << 20
MAX_TENSOR_ELEMENTS = 1 << 28


def read_onnx(path: Path, *, any_batch: bool = False) -> onnx.ModelProto:
    """The checked model of a file, with batch 1, inferred shapes and no initializers among its inputs.

    any_batch: whether the first dimension of an input may be more than 1.

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
    for named in (*model.graph.node, *model.opset_import):
        named.domain = "" if named.domain == "ai.onnx" else named.domain
    if not model.graph.node:
        raise ModelError(f"{path}: not an ONNX file, or one without operators")
    refuse_unread_features(path, model)
    stated = copy.deepcopy([*model.graph.value_info, *model.graph.output])
    _infer_outputs(path, model)
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        said = " ".join(str(error).replace("==> Context: Bad node spec for node.", "").split())
        raise ModelError(f"{path}: malformed ONNX: {said[:300]}") from error
    _prepare_inputs(path, model, any_batch)
    inferred = infer_shapes(path, model)
    _compare(path, stated, inferred)
    return inferred


def _infer_outputs(path: Path, model: onnx.ModelProto) -> None:
    """Outputs have a type and a shape field, which `onnx.checker` wants, where the file has none."""
    if any(not value.type.tensor_type.elem_type for value in model.graph.output):
        try:
            inferred = types_of(shape_inference.infer_shapes(model))
        except Exception as error:
            raise ModelError(f"{path}: contradicts itself: {first_line(error)}") from error
        for value in model.graph.output:
            kind = inferred.get(value.name, 0)
            if not kind:
                raise ModelError(f"{path}: output {value.name!r} has no type, and none can be inferred")
            value.type.tensor_type.elem_type = kind
    for value in model.graph.output:
        value.type.tensor_type.shape.SetInParent()  # a shape that was missing is inferred afterwards


def _compare(path: Path, stated: list[onnx.ValueInfoProto], inferred: onnx.ModelProto) -> None:
    """ModelError where the file says another shape or type of a tensor than its operators give it."""
    shapes, types = shapes_of(inferred), types_of(inferred)
    for value in stated:
        tensor, shape = value.type.tensor_type, shapes.get(value.name)
        if shape is None or not tensor.HasField("shape"):
            continue
        dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in tensor.shape.dim]
        is_shape = len(dims) == len(shape) and all(a in (None, b) for a, b in zip(dims, shape, strict=True))
        if not is_shape or tensor.elem_type != types[value.name]:
            said = f"{element_type(tensor.elem_type)} {dims}"
            found = f"{element_type(types[value.name])} {list(shape)}"
            raise ModelError(
                f"{path}: tensor {value.name!r}: the file says {said}, its operators give {found}"
            )


def first_line(error: BaseException) -> str:
    """The first line of an error's text that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:200] if lines else type(error).__name__


def located(path: Path, error: TinyccError) -> TinyccError:
    """The error with the file in front, if its message does not begin with it."""
    message = str(error)
    return error if message.startswith(str(path)) else type(error)(f"{path}: {message}")


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


def _prepare_inputs(path: Path, model: onnx.ModelProto, any_batch: bool) -> None:
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
        if not any_batch and len(dims) > 1 and dims[0].dim_value != 1:
            raise UnsupportedError(
                f"{path}: input {value.name!r} has a batch of {dims[0].dim_value}; export it with batch 1"
            )
        if np.prod([float(dim.dim_value) for dim in dims]) > MAX_TENSOR_ELEMENTS:
            raise ModelError(f"{path}: input {value.name!r} has more than {MAX_TENSOR_ELEMENTS} elements")
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
