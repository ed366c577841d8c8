"""Masks of attention in a float ONNX model: constants, added to scores, beside which a softmax sees nothing.

Integers cannot stand for such numbers and for scores at once. So these sums and their softmax are kept from
the quantizer, and only what goes in and what comes out is quantized: the compiler has a kernel for the two.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

# What makes nothing of scores, and what stands for all such numbers: infinity is none that has a range.
NOTHING, CLOSED = -1e4, -1e9


@dataclass(frozen=True)
class Masking:
    """The tensor of scores, and the nodes, by name, that a mask is added by and that reads the sum."""

    scores: str
    nodes: tuple[str, str]


def write_out_masks(model: onnx.ModelProto) -> list[Masking]:
    """Change all masks to finite constants that are added."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    found = []
    for add, softmax in _pairs(model):
        scores, mask = _scores_and_mask(add, constants)
        if mask is None:
            continue
        name = f"{add.output[0]}_mask"
        closed = np.where(mask <= NOTHING, np.float32(CLOSED), np.float32(0))
        model.graph.initializer.append(numpy_helper.from_array(closed.astype(np.float32), name))
        add.CopyFrom(helper.make_node("Add", [scores, name], list(add.output), add.name))
        found.append(Masking(scores, (add.name, softmax.name)))
    if not found:
        return found
    read = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in read]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    return found


def may_be_mask(model: onnx.ModelProto, name: str) -> bool:
    """Whether a constant is only added, or chosen in place of an element."""
    readers = {node.op_type for node in model.graph.node if name in node.input}
    return bool(readers) and readers <= {"Add", "Where"}


def _pairs(model: onnx.ModelProto) -> Iterator[tuple[onnx.NodeProto, onnx.NodeProto]]:
    """Each softmax, and the sum or choice that only it reads."""
    makers = {name: node for node in model.graph.node for name in node.output}
    reads = [name for node in model.graph.node for name in node.input]
    reads += [value.name for value in model.graph.output]
    for node in model.graph.node:
        maker = makers.get(node.input[0]) if node.op_type == "Softmax" else None
        if maker is not None and maker.op_type in ("Add", "Where") and reads.count(node.input[0]) == 1:
            yield maker, node


def _scores_and_mask(node: onnx.NodeProto, constants: dict[str, np.ndarray]) -> tuple[str, np.ndarray | None]:
    """The tensor of scores and what is added to it, 0 or not above NOTHING; None where it is no mask."""
    if node.op_type == "Where":
        condition, chosen, other = node.input
        for scores, fill, closed in ((chosen, other, False), (other, chosen, True)):
            if condition in constants and fill in constants and scores not in constants:
                value = np.where(constants[condition] == closed, constants[fill], 0)
                return scores, value if _is_mask(value) else None
        return "", None
    for scores, name in (node.input, reversed(node.input)):
        if name in constants and scores not in constants:
            return scores, constants[name] if _is_mask(constants[name]) else None
    return "", None


def _is_mask(value: np.ndarray) -> bool:
    return bool(((value == 0) | (value <= NOTHING)).all() and value.any())
