"""Weights with a scale for each block of them along an axis."""

from collections.abc import Mapping

import numpy as np
import onnx

from tinycc.frontend.onnx.rewriting import GraphEditor, attributes_of, set_attributes


def write_out_single_blocks(model: onnx.ModelProto) -> None:
    """Scales of blocks as long as their axis, as in shallow layers, become scales by channel, in place.

    That is where no more than one other axis has several indices.
    """
    editor = GraphEditor(model)
    for node in model.graph.node:
        operands = [editor.constants[name] for name in node.input if name in editor.constants]
        if not _block_size(node) or len(operands) != len(node.input):
            continue
        stored, scale, *_ = operands
        others = [axis for axis, size in enumerate(scale.shape) if size != 1]
        if len(others) > 1 or scale.shape != _of_one_block(stored.shape, attributes_of(node).get("axis", 1)):
            continue
        for index, value in enumerate(operands[1:], 1):
            by_channel = value.reshape(-1 if others else ())
            node.input[index] = editor.add_constant(f"{node.input[index]}_of_{node.output[0]}", by_channel)
        set_attributes(node, block_size=None, axis=others[0] if others else None)


def _of_one_block(shape: tuple[int, ...], axis: int) -> tuple[int, ...] | None:
    """The shape of scales of weights that are one block along an axis; None where there is no such axis."""
    if not -len(shape) <= axis < len(shape):
        return None
    return tuple(1 if index == axis % len(shape) else size for index, size in enumerate(shape))


def block_refusal(node: onnx.NodeProto, constants: Mapping[str, np.ndarray]) -> str | None:
    """Why a model that is not to be float cannot have a node, by the scales of its weights."""
    size = _block_size(node)
    if not size or node.input[0] not in constants:
        return None
    return (
        f"weights with a scale for each block of {size} (block_size) are not supported; quantize them with "
        "one for each output channel, or compile with --float"
    )


def _block_size(node: onnx.NodeProto) -> int:
    return int(attributes_of(node).get("block_size", 0)) if node.op_type == "DequantizeLinear" else 0
