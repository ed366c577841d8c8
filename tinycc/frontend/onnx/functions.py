"""Operators that are defined by others: a model's own functions, and those of ONNX's operators that have one."""

from pathlib import Path

import onnx
from onnx import inliner

from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx.file import first_line, infer_shapes
from tinycc.frontend.onnx.operators import is_defined_by_others
from tinycc.frontend.onnx.rewriting import label


def inline_functions(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with each operator that ONNX defines by others written out, shapes inferred anew.

    Raises UnsupportedError for one that cannot be written out.
    """
    while nodes := list(filter(is_defined_by_others, model.graph.node)):
        kinds = sorted({("", node.op_type) for node in nodes})
        try:
            inlined = inliner.inline_selected_functions(model, kinds, inline_schema_functions=True)
        except Exception as error:  # the inliner raises what C++ raises
            raise UnsupportedError(
                f"{label(nodes[0])}: its definition cannot be written out ({first_line(error)})"
            ) from error
        written = len(inlined.graph.node) != len(model.graph.node) or list(inlined.graph.node) != list(model.graph.node)
        if not written:
            raise UnsupportedError(f"{label(nodes[0])}: this operator is not supported")
        model = infer_shapes(path, inlined)
    return model
