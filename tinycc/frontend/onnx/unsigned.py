"""uint8 tensors become int8 by subtracting 128 from values and zero points; the real values stay the same."""

import numpy as np
import onnx

from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx.file import types_of
from tinycc.frontend.onnx.rewriting import GraphEditor, label

UINT8, INT8 = onnx.TensorProto.UINT8, onnx.TensorProto.INT8
ORDER_PRESERVING = {
    "Concat", "Expand", "Flatten", "Gather", "Identity", "Max", "MaxPool", "Min", "Pad", "Reshape", "Resize",
    "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze",
}  # fmt: skip


def make_signed(model: onnx.ModelProto) -> None:
    """Rewrite the graph in place; UnsupportedError for an operator that computes with uint8 values."""
    types = types_of(model)
    editor = GraphEditor(model)
    for node in model.graph.node:
        if node.op_type == "QuantizeLinear":
            _sign_quantize(editor, node)
        elif node.op_type == "DequantizeLinear":
            if len(node.input) == 2 and types.get(node.input[0]) == UINT8:
                node.input.append(_zero_point(editor, node))
        elif any(types.get(name) == UINT8 for name in (*node.input, *node.output)):
            if node.op_type not in ORDER_PRESERVING:
                raise UnsupportedError(f"{label(node)}: computes with uint8 values outside of quantization")
            if node.op_type == "Pad" and (len(node.input) < 3 or not node.input[2]):
                while len(node.input) < 3:
                    node.input.append("")
                node.input[2] = editor.add_constant(f"{node.output[0]}_value", np.array(0, np.uint8))
    editor.replace_constants(
        {
            name: (value.astype(np.int16) - 128).astype(np.int8)
            for name, value in editor.constants.items()
            if value.dtype == np.uint8
        }
    )
    for value in (*model.graph.input, *model.graph.output):
        if value.type.tensor_type.elem_type == UINT8:
            value.type.tensor_type.elem_type = INT8


def _zero_point(editor: GraphEditor, node: onnx.NodeProto) -> str:
    """The zero point 0 that a uint8 quantization has where it states none."""
    shape = editor.constants[node.input[1]].shape if node.input[1] in editor.constants else ()
    return editor.add_constant(f"{node.output[0]}_zero_point", np.zeros(shape, np.uint8))


def _sign_quantize(editor: GraphEditor, node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        if attribute.name == "output_dtype" and attribute.i == UINT8:
            attribute.i = INT8
        elif attribute.name == "output_dtype" and attribute.i == INT8:
            return
    if len(node.input) == 2 or not node.input[2]:
        del node.input[2:]
        node.input.append(_zero_point(editor, node))
