"""ONNX models (QDQ and QOperator, int8 or uint8) in the normal form."""

from pathlib import Path

import onnx
import tvm

from tinycc.edges import Edge, Edges, with_edges
from tinycc.errors import ModelError, TinyccError, UnsupportedError
from tinycc.frontend.normal_form import to_normal_form
from tinycc.frontend.onnx_explicit import fold_constants, write_out_padding
from tinycc.frontend.onnx_file import constants_of, first_line, infer_shapes, read_onnx, shapes_of
from tinycc.frontend.onnx_importer import import_onnx
from tinycc.frontend.onnx_operators import refusal
from tinycc.frontend.onnx_qoperators import expand_qoperators
from tinycc.frontend.onnx_rewriting import label
from tinycc.frontend.onnx_unsigned import make_signed

INTEGERS_ONLY = "post-training quantization is not available yet; quantize the model to int8 first"

QUANTIZED = ("QuantizeLinear", "ConvInteger", "MatMulInteger")


def load_onnx(path: Path) -> tvm.IRModule:
    """The Relax module of an ONNX file, in the normal form of docs/design.md.

    Raises ModelError for a file that is missing or malformed, UnsupportedError for a sound model that is
    not int8 or uses what tinycc does not do.
    """
    path = Path(path)
    try:
        model = _prepared(path)
        module = import_onnx(model)
        edges = _edges(read_onnx(path), model)
        module.update_func(module.get_global_var("main"), with_edges(module["main"], edges))
        return to_normal_form(module)
    except TinyccError as error:
        message = str(error)
        raise (error if message.startswith(str(path)) else type(error)(f"{path}: {message}")) from error
    except Exception as error:  # whatever a damaged graph makes the importer stumble over
        raise ModelError(f"{path}: cannot be imported: {first_line(error)}") from error


def _prepared(path: Path) -> onnx.ModelProto:
    """The model with everything explicit that the importer needs."""
    model = read_onnx(path)
    expand_qoperators(model)
    model = fold_constants(path, infer_shapes(path, model))
    if not any(node.op_type in QUANTIZED for node in model.graph.node):
        raise UnsupportedError(f"{path}: a float model; {INTEGERS_ONLY}")
    make_signed(model)
    model = infer_shapes(path, model)
    _refuse_operators(model)
    write_out_padding(model)
    return model


def _refuse_operators(model: onnx.ModelProto) -> None:
    shapes, constants = shapes_of(model), constants_of(model)
    for node in model.graph.node:
        reason = refusal(node, shapes, constants)
        if reason:
            raise UnsupportedError(f"{label(node)}: {reason}")


def _edges(file: onnx.ModelProto, prepared: onnx.ModelProto) -> Edges:
    """Inputs and outputs as in the file; quantization is filled in once edges become integers.

    prepared: the model whose shapes are all known, those behind QOperators too.
    """

    def edge(value: onnx.ValueInfoProto, known: onnx.ValueInfoProto) -> Edge:
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
        return Edge(value.name, dtype, tuple(dim.dim_value for dim in known.type.tensor_type.shape.dim))

    return Edges(
        tuple(map(edge, file.graph.input, prepared.graph.input)),
        tuple(map(edge, file.graph.output, prepared.graph.output)),
    )
