"""Operators that others define: a model's own functions, and those of ONNX's operators that have one."""

from pathlib import Path

import onnx
from onnx import inliner

from tinycc.errors import ModelError, UnsupportedError
from tinycc.frontend.onnx.inference import infer_shapes
from tinycc.frontend.onnx.messages import first_line
from tinycc.frontend.onnx.operators import is_defined_by_others
from tinycc.frontend.onnx.rewriting import label


def inline_own_functions(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with each call of one of its functions written out; ModelError where that cannot be."""
    if not model.functions:
        return model
    try:
        inlined = inliner.inline_local_functions(model)
    except Exception as error:  # the inliner raises what C++ raises
        name = model.functions[0].name
        raise ModelError(f"{path}: function {name!r} cannot be written out ({first_line(error)})") from error
    del inlined.functions[:]
    return inlined


def inline_definitions(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with each operator that ONNX defines by others written out, shapes inferred anew.

    Raises UnsupportedError for one that has no definition at the model's opset.
    """
    while nodes := list(filter(is_defined_by_others, model.graph.node)):
        kinds = sorted({("", node.op_type) for node in nodes})
        try:
            inlined = inliner.inline_selected_functions(model, kinds, inline_schema_functions=True)
        except Exception as error:  # the inliner raises what C++ raises
            raise UnsupportedError(
                f"{label(nodes[0])}: its definition cannot be written out ({first_line(error)})"
            ) from error
        left = {name for node in inlined.graph.node if is_defined_by_others(node) for name in node.output}
        for node in nodes:
            if left.intersection(node.output):
                raise UnsupportedError(f"{label(node)}: this operator is not supported at the model's opset")
        model = infer_shapes(path, inlined)
    return model
