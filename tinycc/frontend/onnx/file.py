"""Reading ONNX files: what is malformed or out of bounds ends here, in one line."""

import copy
from collections.abc import Mapping, Sequence
from pathlib import Path

import onnx
from onnx import shape_inference

from tinycc.errors import ModelError
from tinycc.frontend.onnx.external import load_external_data
from tinycc.frontend.onnx.features import element_type, refuse_unread_features
from tinycc.frontend.onnx.functions import inline_own_functions
from tinycc.frontend.onnx.halves import widen_halves
from tinycc.frontend.onnx.inference import infer_shapes, shapes_of, types_of
from tinycc.frontend.onnx.inputs import prepare_inputs
from tinycc.frontend.onnx.messages import first_line
from tinycc.frontend.onnx.narrow import check_packing
from tinycc.frontend.onnx.opsets import in_known_opset

MAX_FILE_BYTES = 256 << 20


def read_onnx(
    path: Path, *, any_batch: bool = False, shapes: Mapping[str, Sequence[int]] | None = None
) -> tuple[onnx.ModelProto, list[str]]:
    """The checked model of a file, and what was done to it that its user should know.

    It has inferred shapes, batch 1, no initializers among its inputs, and float32 where the file has float16.

    any_batch: whether the first dimension of an input may be more than 1.
    shapes: of inputs by name, where the file's are dynamic.

    Raises ModelError for files that are missing, too large or malformed, UnsupportedError for what tinycc
    does not read: other opsets, dynamic shapes, a batch greater than 1.
    """
    model = _parsed(path)
    for named in (*model.graph.node, *model.opset_import):
        named.domain = "" if named.domain == "ai.onnx" else named.domain
    if not model.graph.node:
        raise ModelError(f"{path}: not an ONNX file, or one without operators")
    load_external_data(path, model, MAX_FILE_BYTES)
    model = inline_own_functions(path, model)
    notes = widen_halves(model)
    refuse_unread_features(path, model)
    check_packing(path, model)
    stated = [] if shapes else copy.deepcopy([*model.graph.value_info, *model.graph.output])
    model, conversions = in_known_opset(path, model)
    _infer_outputs(path, model)
    try:
        onnx.checker.check_model(model)
    except Exception as error:
        said = " ".join(str(error).replace("==> Context: Bad node spec for node.", "").split())
        raise ModelError(f"{path}: malformed ONNX: {said[:300]}") from error
    prepare_inputs(path, model, any_batch, shapes or {})
    inferred = infer_shapes(path, model)
    _compare(path, stated, inferred)
    return inferred, [*notes, *conversions]


def _parsed(path: Path) -> onnx.ModelProto:
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
    return model


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
