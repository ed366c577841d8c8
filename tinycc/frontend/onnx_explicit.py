"""What ONNX leaves implicit is written out before the import: constants computed, padding in numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx_file import infer_shapes, shapes_of
from tinycc.frontend.onnx_rewriting import GraphEditor, attributes_of, label

FOLDED = {
    "Add", "Cast", "Concat", "Constant", "Div", "Floor", "Gather", "Identity", "Mul",
    "QuantizeLinear", "Reshape", "Shape", "Slice", "Sqrt", "Squeeze", "Sub", "Transpose",
    "Unsqueeze",
}  # fmt: skip
WINDOWED = ("AveragePool", "Conv", "MaxPool")


def fold_constants(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    """Compute nodes whose inputs are all constant, and shapes; float weights that are quantized become int8.

    A DequantizeLinear of constants stays, so that weights stay integers.
    """
    shapes = shapes_of(model)
    editor = GraphEditor(model)
    opsets = [helper.make_opsetid(entry.domain, entry.version) for entry in model.opset_import]
    kept: list[onnx.NodeProto] = []
    for node in model.graph.node:
        if node.op_type == "Dropout" and not node.output[1:]:
            node = helper.make_node("Identity", [node.input[0]], list(node.output), name=node.name)
        is_shape = node.op_type == "Shape" and node.input[0] in shapes
        if node.op_type in FOLDED and (
            is_shape or all(name in editor.constants for name in node.input if name)
        ):
            operands = {name: editor.constants[name] for name in node.input if name in editor.constants}
            if is_shape:
                operands[node.input[0]] = np.broadcast_to(np.float32(0), shapes[node.input[0]])
            graph = helper.make_graph(
                [node],
                "constant",
                [
                    helper.make_tensor_value_info(name, _type_of(value), value.shape)
                    for name, value in operands.items()
                ],
                [onnx.ValueInfoProto(name=name) for name in node.output],
            )
            values = ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets)).run(None, operands)
            for name, value in zip(node.output, values, strict=True):
                array = np.asarray(value)
                editor.constants[name] = array
                model.graph.initializer.append(numpy_helper.from_array(array, name))
        else:
            kept.append(node)
    editor.replace_nodes(kept)
    return infer_shapes(path, model)


def _type_of(value: np.ndarray) -> int:
    return int(helper.np_dtype_to_tensor_dtype(value.dtype))


def write_out_padding(model: onnx.ModelProto) -> None:
    """`auto_pad` and `ceil_mode` become `pads`, in place.

    Raises UnsupportedError for average pooling that counts its padding.
    """
    shapes = shapes_of(model)
    constants = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type not in WINDOWED or node.input[0] not in shapes:
            continue
        attributes = attributes_of(node)
        weights = (
            shapes.get(node.input[1], constants.get(node.input[1], ())) if node.op_type == "Conv" else ()
        )
        pads = _pads(attributes, shapes[node.input[0]][2:], weights[2:])
        if attributes.get("count_include_pad") and any(pads):
            raise UnsupportedError(f"{label(node)}: average pooling that counts its padding is not supported")
        for name in ("auto_pad", "ceil_mode", "count_include_pad", "pads"):
            attributes.pop(name, None)
        del node.attribute[:]
        node.attribute.extend(helper.make_attribute(name, value) for name, value in attributes.items())
        node.attribute.append(helper.make_attribute("pads", pads))


def _pads(attributes: dict[str, Any], spatial: tuple[int, ...], weights: tuple[int, ...]) -> list[int]:
    """Padding at the begin of each axis, then at the ends."""
    rank = len(spatial)
    kernel = list(attributes.get("kernel_shape", weights))
    strides = list(attributes.get("strides", [1] * rank))
    dilations = list(attributes.get("dilations", [1] * rank))
    pads = list(attributes.get("pads", [0] * (2 * rank)))
    mode = attributes.get("auto_pad", b"NOTSET")
    for axis in range(rank):
        size, stride = spatial[axis], strides[axis]
        reach = (kernel[axis] - 1) * dilations[axis] + 1
        if mode in (b"SAME_UPPER", b"SAME_LOWER"):
            total = max((-(-size // stride) - 1) * stride + reach - size, 0)
            small, large = total // 2, total - total // 2
            pads[axis], pads[axis + rank] = (small, large) if mode == b"SAME_UPPER" else (large, small)
        elif mode == b"VALID":
            pads[axis], pads[axis + rank] = 0, 0
        if attributes.get("ceil_mode"):
            begin, end = pads[axis], pads[axis + rank]
            count = -(-(size + begin + end - reach) // stride) + 1
            if (count - 1) * stride >= size + begin:
                count -= 1  # a window must begin inside the input or the padding before it
            pads[axis + rank] = max(end, (count - 1) * stride + reach - size - begin)
    return [int(pad) for pad in pads]
