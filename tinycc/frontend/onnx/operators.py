"""Which ONNX operators the frontend takes, and how: `attributes` has the list."""

from collections.abc import Collection, Mapping

import numpy as np
import onnx

from tinycc.frontend.onnx.attributes import TAKEN, Taken
from tinycc.frontend.onnx.rewriting import attributes_of

NOT_QUANTIZED = "integer products without quantization are not supported; export the model in the QDQ format"
ADVICE = {
    "ConvInteger": NOT_QUANTIZED,
    "MatMulInteger": NOT_QUANTIZED,
}
WINDOWED = ("AveragePool", "Conv", "ConvTranspose", "MaxPool")
POOLS = ("AveragePool", "MaxPool")

Shapes = Mapping[str, tuple[int, ...]]


def refusal(node: onnx.NodeProto, read: Collection[str]) -> str | None:
    """Why a node cannot be taken, by its operator and its attributes; None if it can.

    read: the tensors that operators or the model's outputs read.
    """
    domain = "" if node.domain == "ai.onnx" else node.domain
    taken = TAKEN.get((domain, node.op_type))
    if taken is None:
        unknown = f"this operator of the domain {domain} is not supported" if domain else ""
        return unknown or ADVICE.get(node.op_type, "this operator is not supported")
    if taken.inputs is not None and len(node.input) not in taken.inputs:
        return f"{len(node.input)} inputs are not supported, only {taken.inputs[0]} to {taken.inputs[-1]}"
    if node.op_type != "Split":
        for name in node.output[1:]:
            if name in read:
                return f"its result {name!r} is not supported, only the first; take it out of the model"
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
    for index in TAKEN["" if node.domain == "ai.onnx" else node.domain, node.op_type].parameters:
        if index < len(node.input) and node.input[index] and node.input[index] not in constants:
            return f"its input {index}, {node.input[index]!r}, must be a constant"
    if node.op_type in WINDOWED:
        return _window_refusal(node, shapes)
    if node.op_type == "Squeeze" and node.input[0] in shapes:
        rank = len(shapes[node.input[0]])
        beyond = [axis for axis in attributes_of(node).get("axes", []) if not -rank <= axis < rank]
        return f"axis {beyond[0]} is none of the {rank} of the tensor" if beyond else None
    if node.op_type == "Resize":
        return _scales_refusal(node, shapes, constants)
    return None


def _window_refusal(node: onnx.NodeProto, shapes: Shapes) -> str | None:
    """Windows are over one or two dimensions, and no padding is as large as the window of a pooling."""
    rank = len(shapes.get(node.input[0], (0,) * 4))
    if rank not in ((4,) if node.op_type == "ConvTranspose" else (3, 4)):
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


def _scales_refusal(node: onnx.NodeProto, shapes: Shapes, constants: Mapping[str, np.ndarray]) -> str | None:
    """Rows and columns are resized; positions follow from the sizes of input and output.

    Scales that say otherwise would be misread.
    """
    before, after = shapes.get(node.input[0]), shapes.get(node.output[0])
    if before is None or after is None:
        return None
    if len(before) not in (3, 4) or before[:2] != after[:2]:
        return f"resizing {list(before)} to {list(after)} is not supported, only rows and columns"
    attributes = attributes_of(node)
    scales = constants.get(node.input[2]) if len(node.input) > 2 else None
    is_aligned = attributes.get("coordinate_transformation_mode") == b"align_corners"
    if is_aligned and 1 in after[2:]:
        return "corners are not aligned in a single row or column; resize by other coordinates"
    if scales is None or not scales.size or is_aligned:
        return None
    axes = attributes.get("axes", range(len(before)))
    sizes = [(before[axis], after[axis]) for axis in axes]
    if all(np.isclose(scale * old, new, rtol=1e-5) for scale, (old, new) in zip(scales, sizes, strict=False)):
        return None
    factors = ", ".join(f"{scale:g}" for scale in scales.tolist())
    return f"resizing by {factors} gives no whole size; give the sizes instead of the scales"
