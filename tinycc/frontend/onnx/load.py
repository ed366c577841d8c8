"""ONNX models (QDQ and QOperator, int8 or uint8) in the normal form."""

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import onnx
import tvm

from tinycc import tvm_adapter
from tinycc.edges import Edge, Edges, with_edges
from tinycc.errors import ModelError, TinyccError, UnsupportedError
from tinycc.frontend.numbers import check_numbers
from tinycc.frontend.onnx.attributes import MICROSOFT
from tinycc.frontend.onnx.blocks import block_refusal, write_out_single_blocks
from tinycc.frontend.onnx.constants import fold_constants
from tinycc.frontend.onnx.explicit import write_out_padding, write_out_shapes, write_out_zero_points
from tinycc.frontend.onnx.file import read_onnx
from tinycc.frontend.onnx.functions import inline_definitions
from tinycc.frontend.onnx.importer import import_onnx
from tinycc.frontend.onnx.inference import constants_of, infer_shapes, shapes_of, types_of
from tinycc.frontend.onnx.messages import first_line, located
from tinycc.frontend.onnx.narrow import narrow_refusal, widen_narrow_weights
from tinycc.frontend.onnx.operators import operand_refusal, refusal
from tinycc.frontend.onnx.qoperators import expand_qoperators
from tinycc.frontend.onnx.rewriting import label, tensors_read
from tinycc.notes import with_note
from tinycc.passes.to_normal_form import ToNormalForm

INTEGERS_ONLY = "quantize the model to int8 first, or compile it with --float"

# Whose constants are weights, of which an infinite one is no mask.
LAYERS = (
    "BatchNormalization", "Conv", "ConvTranspose", "GRU", "Gemm", "GroupNormalization",
    "InstanceNormalization", "LSTM", "LayerNormalization", "MatMul", "RNN",
)  # fmt: skip
QUANTIZED = ("QuantizeLinear", "DequantizeLinear", "ConvInteger", "MatMulInteger")


def load_onnx(
    path: Path, allow_float: bool = False, shapes: Mapping[str, Sequence[int]] | None = None
) -> tvm.IRModule:
    """The Relax module of an ONNX file, in the normal form of docs/design.md.

    allow_float: whether operators may compute with real numbers, on tensors of any batch.
    shapes: of inputs by name, where the file's are dynamic.

    Raises ModelError for a file that is missing or malformed, UnsupportedError for a sound model that is
    not int8 or uses what tinycc does not do.
    """
    path = Path(path)
    try:
        file, notes = read_onnx(path, any_batch=allow_float, shapes=shapes)
        model = explicit_model(path, copy.deepcopy(file), allow_float=allow_float)
        module = import_onnx(model)
        main = with_edges(module["main"], _edges(file, model))
        module.update_func(module.get_global_var("main"), functools.reduce(with_note, notes, main))
        return tvm_adapter.run_passes([ToNormalForm(allow_float)], module)
    except TinyccError as error:
        raise located(path, error) from error
    except Exception as error:  # whatever a damaged graph makes the importer stumble over
        raise ModelError(f"{path}: cannot be imported: {first_line(error)}") from error


def explicit_model(path: Path, model: onnx.ModelProto, *, allow_float: bool = False) -> onnx.ModelProto:
    """A model that was read with everything explicit that the importer needs, each attribute looked at."""
    _refuse(model, lambda node: node.domain == MICROSOFT)
    while expand_qoperators(model):
        model = infer_shapes(path, model)
    model = inline_definitions(path, model)
    model = fold_constants(path, model)
    weights = {name for node in model.graph.node if node.op_type in LAYERS for name in node.input}
    check_numbers(constants_of(model).items(), f"{path}: ", weights)
    if not allow_float and not any(node.op_type in QUANTIZED for node in model.graph.node):
        raise UnsupportedError(f"{path}: a float model; {INTEGERS_ONLY}")
    _refuse(model)
    write_out_single_blocks(model)
    _refuse_operands(model, allow_float)
    shapes = shapes_of(model)
    write_out_zero_points(model)
    widen_narrow_weights(model)
    write_out_padding(model)
    write_out_shapes(model)
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    model = infer_shapes(path, model)
    _refuse_other_shapes(model, shapes)
    return model


def _refuse_other_shapes(model: onnx.ModelProto, before: dict[str, tuple[int, ...]]) -> None:
    """What was written out gives each tensor the shape that ONNX infers from the file."""
    after = shapes_of(model)
    for node in model.graph.node:
        for name in node.output:
            if name in before and after.get(name) != before[name]:
                raise UnsupportedError(
                    f"{label(node)}: its pads give {list(after[name])} where ONNX has {list(before[name])}; "
                    "state pads instead of auto_pad, ceil_mode or output_shape"
                )


def _refuse(model: onnx.ModelProto, among: Callable[[onnx.NodeProto], bool] = lambda node: True) -> None:
    read = tensors_read(model)
    for node in filter(among, model.graph.node):
        reason = refusal(node, read)
        if reason:
            raise UnsupportedError(f"{label(node)}: {reason}")


def _refuse_operands(model: onnx.ModelProto, allow_float: bool) -> None:
    shapes, types, constants = shapes_of(model), types_of(model), constants_of(model)
    for node in model.graph.node:
        unknown = [name for name in node.output if name and name not in shapes]
        if unknown:
            raise UnsupportedError(
                f"{label(node)}: the shape of its result {unknown[0]!r} is not known; export fixed shapes"
            )
        reason = operand_refusal(node, shapes, constants) or narrow_refusal(node, types)
        if not (reason or allow_float):
            reason = block_refusal(node, constants)
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
