"""Which ONNX operators the frontend takes, and how: `attributes` has the list."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import defs

from tinycc.frontend.onnx.attributes import TAKEN, Taken
from tinycc.frontend.onnx.converters import CONVERTERS
from tinycc.frontend.onnx.rewriting import attributes_of
from tinycc.tvm_adapter.onnx_importer import converted_kinds

# Whose results are as many as the values of their inputs say.
DYNAMIC = ("Compress", "NonMaxSuppression", "NonZero", "Unique")
# What somebody imports, or is written out before.
KNOWN = {
    *CONVERTERS, *converted_kinds(), *(kind for domain, kind in TAKEN if not domain), "If",
}  # fmt: skip
WINDOWED = ("AveragePool", "Conv", "ConvInteger", "ConvTranspose", "MaxPool")
POOLS = ("AveragePool", "MaxPool")

Shapes = Mapping[str, tuple[int, ...]]


def parameters_of(node: onnx.NodeProto) -> tuple[int, ...]:
    """The inputs of a node, by index, that must be constants."""
    return _taken(node).parameters


def is_defined_by_others(node: onnx.NodeProto) -> bool:
    """Whether ONNX defines the operator by other operators, which are taken in its place."""
    if node.domain or ("", node.op_type) in TAKEN or not defs.has(node.op_type):
        return False
    schema: Any = defs.get_schema(node.op_type)
    return bool(schema.has_function or schema.has_context_dependent_function)


def _taken(node: onnx.NodeProto) -> Taken:
    """What is taken of an operator; of one that is not on the list, whatever TVM makes of it alone."""
    return TAKEN.get((node.domain, node.op_type), Taken())


def refusal(node: onnx.NodeProto, read: Collection[str]) -> str | None:
    """Why a node cannot be taken, by its operator and its attributes; None if it can.

    read: the tensors that operators or the model's outputs read.
    """
    taken = _taken(node)
    if is_defined_by_others(node):
        return None
    if node.domain and (node.domain, node.op_type) not in TAKEN:
        return f"this operator of the domain {node.domain} is not supported"
    if not node.domain and node.op_type not in KNOWN:
        return "this operator is not supported"
    if node.op_type == "If":
        return "its condition is computed, which is not supported; only one that is constant"
    if node.op_type in DYNAMIC:
        return "the shape of its result depends on the values of its inputs, which is not supported"
    if taken.inputs is not None and len(node.input) not in taken.inputs:
        return f"{len(node.input)} inputs are not supported, only {taken.inputs[0]} to {taken.inputs[-1]}"
    for name in node.output[taken.results :]:
        if name in read:
            return f"its result {name!r} is not supported; take it out of the model"
    return _attribute_refusal(node, taken)


def _attribute_refusal(node: onnx.NodeProto, taken: Taken) -> str | None:
    for name, value in attributes_of(node).items():
        values = taken.attributes.get(name)
        if values is None:
            return f"the attribute {name} is not supported; export the model without it"
        if not values.allows(value):
            shown = value.decode(errors="replace") if isinstance(value, bytes) else value
            return f"{name} {shown} is not supported, only {values.text}; export the model so"
    return None


def operand_refusal(node: onnx.NodeProto, shapes: Shapes, constants: Mapping[str, np.ndarray]) -> str | None:
    """Why a node cannot be taken, by the shapes and the parameters that it has; None if it can.

    shapes, constants: of the model's tensors by name, those of constant expressions too.
    """
    for index in parameters_of(node):
        if index < len(node.input) and node.input[index] and node.input[index] not in constants:
            return f"its input {index}, {node.input[index]!r}, must be a constant"
    if node.op_type in WINDOWED:
        return _window_refusal(node, shapes)
    if node.op_type == "Squeeze" and node.input[0] in shapes:
        rank = len(shapes[node.input[0]])
        beyond = [axis for axis in attributes_of(node).get("axes", []) if not -rank <= axis < rank]
        return f"axis {beyond[0]} is none of the {rank} of the tensor" if beyond else None
    return None


def _window_refusal(node: onnx.NodeProto, shapes: Shapes) -> str | None:
    """Windows are over one to three dimensions, and no padding is as large as the window of a pooling."""
    rank = len(shapes.get(node.input[0], (0,) * 4))
    if rank not in (3, 4, 5):
        return f"{rank - 2} spatial dimensions are not supported"
    attributes = attributes_of(node)
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET" and any(attributes.get("pads", [])):
        return "pads beside auto_pad are not supported; state one of the two"
    kernel: list[int] | None = attributes.get("kernel_shape")
    if kernel is not None and node.op_type in POOLS:
        pads = attributes.get("pads", [])
        if any(pad >= size for pad, size in zip(pads, [*kernel, *kernel], strict=False)):
            return f"pads {pads} are not smaller than the window {kernel}"
    elif kernel is not None and node.input[1] in shapes and tuple(kernel) != shapes[node.input[1]][2:]:
        return f"kernel_shape {kernel} is not that of the weights, {list(shapes[node.input[1]][2:])}"
    return None
