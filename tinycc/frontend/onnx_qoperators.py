"""Operators on integers (QOperator format) become float operators between dequantize and quantize.

The QLinear operators of ONNX and of the domain com.microsoft are defined as just that computation
(https://onnx.ai/onnx/operators, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper

from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx_rewriting import GraphEditor, attributes_of, label

MICROSOFT = "com.microsoft"


class _Expansion:
    """One integer operator on its way to dequantize -> float operator -> quantize."""

    def __init__(self, editor: GraphEditor, node: onnx.NodeProto) -> None:
        self.editor = editor
        self.node = node
        self.attributes = attributes_of(node)
        self.nodes: list[onnx.NodeProto] = []

    def input(self, index: int) -> str:
        """The name of an input, "" where it is left out."""
        return self.node.input[index] if index < len(self.node.input) else ""

    def constant(self, index: int) -> np.ndarray:
        """The value of an input that must be constant."""
        name = self.input(index)
        if name not in self.editor.constants:
            raise UnsupportedError(f"{label(self.node)}: input {index} must be a constant")
        return self.editor.constants[name]

    def dequantized(self, tensor: int, scale: int, axis: int = 1) -> str:
        """Inputs `tensor`, `scale` and the zero point after it, dequantized."""
        self.constant(scale)
        inputs = [self.input(tensor), self.input(scale), self.input(scale + 1)]
        return self._append("DequantizeLinear", inputs if inputs[2] else inputs[:2], axis=axis)

    def dequantized_bias(self, index: int, input_scale: int, weight_scale: int) -> str:
        """An int32 bias of scale input scale x weight scale."""
        scale = np.asarray(self.constant(input_scale) * self.constant(weight_scale), np.float32)
        scale = scale.reshape(()) if scale.size == 1 else scale.reshape(-1)
        name = self.editor.add_constant(f"{self.input(index)}_scale", scale)
        return self._append("DequantizeLinear", [self.input(index), name], axis=0)

    def compute(
        self, operator: str, inputs: list[str], scale: int, **attributes: object
    ) -> list[onnx.NodeProto]:
        """The float operator, and its result quantized with input `scale` and the zero point after it."""
        self.constant(scale)
        result = self._append(operator, inputs, **attributes)
        quantization = [self.input(scale), self.input(scale + 1)]
        self.nodes.append(
            helper.make_node("QuantizeLinear", [result, *filter(None, quantization)], list(self.node.output))
        )
        return self.nodes

    def _append(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        output = self.editor.fresh(f"{self.node.output[0]}_{operator}")
        name = self.node.name or self.node.output[0]
        self.nodes.append(helper.make_node(operator, inputs, [output], name=name, **attributes))
        return output


def _convolution(node: _Expansion) -> list[onnx.NodeProto]:
    inputs = [node.dequantized(0, 1), node.dequantized(3, 4, axis=0)]
    if node.input(8):
        inputs.append(node.dequantized_bias(8, 1, 4))
    return node.compute("Conv", inputs, 6, **node.attributes)


def _matmul(node: _Expansion) -> list[onnx.NodeProto]:
    return node.compute("MatMul", [node.dequantized(0, 1), node.dequantized(3, 4)], 6)


def _gemm(node: _Expansion) -> list[onnx.NodeProto]:
    if not node.input(7):
        raise UnsupportedError(f"{label(node.node)}: a float result is not supported; quantize it")
    axis = 0 if node.attributes.get("transB", 0) else 1
    inputs = [node.dequantized(0, 1), node.dequantized(3, 4, axis=axis)]
    if node.input(6):
        inputs.append(node.dequantized_bias(6, 1, 4))
    return node.compute("Gemm", inputs, 7, **node.attributes)


def _binary(operator: str) -> Callable[[_Expansion], list[onnx.NodeProto]]:
    return lambda node: node.compute(operator, [node.dequantized(0, 1), node.dequantized(3, 4)], 6)


def _unary(operator: str) -> Callable[[_Expansion], list[onnx.NodeProto]]:
    def expand(node: _Expansion) -> list[onnx.NodeProto]:
        attributes = dict(node.attributes)
        attributes.pop("opset", None)
        if attributes.pop("channels_last", 0):
            raise UnsupportedError(f"{label(node.node)}: channels_last is not supported")
        return node.compute(operator, [node.dequantized(0, 1)], 3, **attributes)

    return expand


def _concatenation(node: _Expansion) -> list[onnx.NodeProto]:
    parts = [node.dequantized(index, index + 1) for index in range(2, len(node.node.input), 3)]
    return node.compute("Concat", parts, 0, **node.attributes)


EXPANSIONS: dict[tuple[str, str], Callable[[_Expansion], list[onnx.NodeProto]]] = {
    ("", "QLinearConv"): _convolution,
    (MICROSOFT, "QLinearConv"): _convolution,
    ("", "QLinearMatMul"): _matmul,
    (MICROSOFT, "QGemm"): _gemm,
    (MICROSOFT, "QLinearAdd"): _binary("Add"),
    (MICROSOFT, "QLinearMul"): _binary("Mul"),
    (MICROSOFT, "QLinearGlobalAveragePool"): _unary("GlobalAveragePool"),
    (MICROSOFT, "QLinearAveragePool"): _unary("AveragePool"),
    (MICROSOFT, "QLinearSigmoid"): _unary("Sigmoid"),
    (MICROSOFT, "QLinearLeakyRelu"): _unary("LeakyRelu"),
    (MICROSOFT, "QLinearSoftmax"): _unary("Softmax"),
    (MICROSOFT, "QLinearConcat"): _concatenation,
}


def expand_qoperators(model: onnx.ModelProto) -> None:
    """Rewrite the graph in place; UnsupportedError where scales or zero points are not constants."""
    editor = GraphEditor(model)
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        domain = "" if node.domain == "ai.onnx" else node.domain
        expand = EXPANSIONS.get((domain, node.op_type))
        if expand is not None:
            nodes.extend(expand(_Expansion(editor, node)))
            continue
        if domain == MICROSOFT and node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.domain = ""
        nodes.append(node)
    editor.replace_nodes(nodes)
    if not any(entry.domain in ("", "ai.onnx") for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid("", 13))
