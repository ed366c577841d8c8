"""Which ONNX operators the frontend takes, once QOperators are expanded and constants folded."""

from collections.abc import Mapping

import numpy as np
import onnx

from tinycc.frontend.onnx_rewriting import attributes_of

SUPPORTED = {
    "Abs", "Add", "ArgMax", "AveragePool", "Clip", "Concat", "Conv", "ConvTranspose",
    "DequantizeLinear", "Div", "Flatten", "Gemm", "GlobalAveragePool", "HardSwish", "Identity",
    "LeakyRelu", "MatMul", "Max", "MaxPool", "Min", "Mul", "PRelu", "Pad", "QuantizeLinear",
    "ReduceMean", "ReduceSum", "Relu", "Reshape", "Resize", "Sigmoid", "Slice", "Softmax", "Split",
    "Squeeze", "Sub", "Tanh", "Transpose", "Unsqueeze",
}  # fmt: skip
NEAREST = (("asymmetric", "floor"),)
LINEAR = ("half_pixel", "asymmetric", "align_corners")


def refusal(
    node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]], constants: Mapping[str, np.ndarray]
) -> str | None:
    """Why a node cannot be taken; None if it can.

    shapes, constants: of the model's tensors by name.
    """
    if node.domain not in ("", "ai.onnx"):
        return f"operators of the domain {node.domain} are not supported"
    if node.op_type == "BatchNormalization":
        return "fold the batch normalization into the convolution before quantizing"
    if node.op_type in ("ConvInteger", "MatMulInteger"):
        return "integer products without quantization are not supported; export the model in the QDQ format"
    if node.op_type not in SUPPORTED:
        return "this operator is not supported"
    if node.op_type == "Resize":
        return _resize_refusal(node) or _scales_refusal(node, shapes, constants)
    return None


def _resize_refusal(node: onnx.NodeProto) -> str | None:
    attributes = attributes_of(node)

    def text(name: str, default: str) -> str:
        value = attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else str(value)

    mode = text("mode", "nearest")
    coordinates = text("coordinate_transformation_mode", "half_pixel")
    rounding = text("nearest_mode", "round_prefer_floor")
    if mode == "nearest" and (coordinates, rounding) in NEAREST:
        return None
    if mode == "linear" and coordinates in LINEAR:
        return None
    return f"resizing with mode {mode}, coordinates {coordinates} and rounding {rounding} is not supported"


def _scales_refusal(
    node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]], constants: Mapping[str, np.ndarray]
) -> str | None:
    """Positions follow from the sizes of input and output; scales that say otherwise would be misread."""
    if attributes_of(node).get("coordinate_transformation_mode") == b"align_corners":
        return None
    scales = constants.get(node.input[2]) if len(node.input) > 2 else None
    before, after = shapes.get(node.input[0]), shapes.get(node.output[0])
    if scales is None or before is None or after is None or scales.size != len(before):
        return None
    if np.allclose(scales * np.array(before), after, rtol=1e-5, atol=0):
        return None
    factors = ", ".join(f"{scale:g}" for scale in scales.tolist())
    return f"resizing by {factors} gives no whole size; give the sizes instead of the scales"
