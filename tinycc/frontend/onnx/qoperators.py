"""Operators on integers (QOperator format) become float operators between dequantize and quantize.

The QLinear operators of ONNX and of the domain com.microsoft are defined as just that computation; other
operators of that domain become the formulas that define them
(https://onnx.ai/onnx/operators, https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import helper

from tinycc.errors import UnsupportedError
from tinycc.frontend.onnx.attributes import MICROSOFT
from tinycc.frontend.onnx.inference import shapes_of
from tinycc.frontend.onnx.rewriting import GraphEditor, attributes_of, label, opset_of


class _Expansion:
    """One integer operator on its way to dequantize -> float operator -> quantize."""

    def __init__(self, editor: GraphEditor, node: onnx.NodeProto, opset: int, rank: int | None) -> None:
        self.editor = editor
        self.node = node
        self.opset = opset
        self.rank = rank
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
        return self.append("DequantizeLinear", inputs if inputs[2] else inputs[:2], axis=axis)

    def dequantized_bias(self, index: int, input_scale: int, weight_scale: int) -> str:
        """An int32 bias of scale input scale x weight scale."""
        scale = np.asarray(self.constant(input_scale) * self.constant(weight_scale), np.float32)
        scale = scale.reshape(()) if scale.size == 1 else scale.reshape(-1)
        name = self.editor.add_constant(f"{self.input(index)}_scale", scale)
        return self.append("DequantizeLinear", [self.input(index), name], axis=0)

    def compute(
        self, operator: str, inputs: list[str], scale: int, **attributes: object
    ) -> list[onnx.NodeProto]:
        """The float operator, and its result quantized with input `scale` and the zero point after it."""
        self.constant(scale)
        return self.quantize(self.append(operator, inputs, **attributes), scale)

    def quantize(self, result: str, scale: int) -> list[onnx.NodeProto]:
        """All nodes, the last of which quantizes `result` by input `scale` and the zero point after it."""
        quantization = [self.input(scale), self.input(scale + 1)]
        return self.finish("QuantizeLinear", [result, *filter(None, quantization)])

    def finish(self, operator: str, inputs: list[str], **attributes: Any) -> list[onnx.NodeProto]:
        """All nodes, the last of which has the result of the node that is replaced."""
        output = list(self.node.output[:1])
        self.nodes.append(helper.make_node(operator, inputs, output, name=self.node.name, **attributes))
        return self.nodes

    def number(self, value: float) -> str:
        """A float constant."""
        return self.editor.add_constant(f"{self.node.output[0]}_number", np.array(value, np.float32))

    def append(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        output = self.editor.fresh(f"{self.node.output[0]}_{operator}")
        name = self.node.name or self.node.output[0]
        self.nodes.append(helper.make_node(operator, inputs, [output], name=name, **attributes))
        return output


class RankUnknownError(Exception):
    """The rank of an operator's input is not known before other operators are expanded."""


def _channels_last(
    expand: Callable[[_Expansion], list[onnx.NodeProto]], rank_of: Callable[[_Expansion], int | None]
) -> Callable[[_Expansion], list[onnx.NodeProto]]:
    """`expand` between transposes, where the attribute channels_last says that the tensors are so."""

    def convert(node: _Expansion) -> list[onnx.NodeProto]:
        if not node.attributes.pop("channels_last", 0):
            return expand(node)
        rank = rank_of(node)
        if rank is None:
            raise RankUnknownError
        result = node.node.output[0]
        node.node.input[0] = node.append(
            "Transpose", [node.input(0)], perm=[0, rank - 1, *range(1, rank - 1)]
        )
        node.node.output[0] = node.editor.fresh(f"{result}_channels_first")
        expand(node)
        channels_first = node.node.output[0]
        node.node.output[0] = result
        return node.finish("Transpose", [channels_first], perm=[0, *range(2, rank), 1])

    return convert


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
    return lambda node: node.compute(operator, [node.dequantized(0, 1)], 3, **node.attributes)


def _average(node: _Expansion) -> list[onnx.NodeProto]:
    """Unlike AveragePool, it counts what rounding up adds."""
    if node.attributes.get("ceil_mode") and node.attributes.get("count_include_pad"):
        raise UnsupportedError(f"{label(node.node)}: ceil_mode beside count_include_pad is not supported")
    return node.compute("AveragePool", [node.dequantized(0, 1)], 3, **node.attributes)


def _softmax(node: _Expansion) -> list[onnx.NodeProto]:
    """Its own attribute `opset` says what `axis` means: before 13, all axes from it on are one."""
    if "opset" not in node.attributes:
        raise UnsupportedError(
            f"{label(node.node)}: the attribute opset is missing, which says what axis means"
        )
    real = node.dequantized(0, 1)
    if node.attributes["opset"] < 13:
        flat = node.append("Flatten", [real], axis=node.attributes.get("axis", -1))
        shape = node.append("Shape", [node.input(0)])
        return node.compute("Reshape", [node.append("Softmax", [flat], axis=-1), shape], 3)
    axis = node.attributes.get("axis", -1)
    if node.rank is None:
        raise RankUnknownError
    if node.opset < 13 and axis not in (-1, node.rank - 1):
        raise UnsupportedError(
            f"{label(node.node)}: axis {axis} is not supported before opset 13, only the last"
        )
    return node.compute("Softmax", [real], 3, axis=axis)


def _concatenation(node: _Expansion) -> list[onnx.NodeProto]:
    parts = [node.dequantized(index, index + 1) for index in range(2, len(node.node.input), 3)]
    return node.compute("Concat", parts, 0, **node.attributes)


def _gelu(node: _Expansion) -> list[onnx.NodeProto]:
    """0.5 x (1 + erf(x / sqrt(2))), of x plus a bias if there is one."""
    x = node.append("Add", [node.input(0), node.input(1)]) if node.input(1) else node.input(0)
    error = node.append("Erf", [node.append("Mul", [x, node.number(math.sqrt(0.5))])])
    factor = node.append("Add", [error, node.number(1.0)])
    return node.finish("Mul", [node.append("Mul", [x, node.number(0.5)]), factor])


def _fast_gelu(node: _Expansion) -> list[onnx.NodeProto]:
    """0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))), of x plus a bias if there is one."""
    x = node.append("Add", [node.input(0), node.input(1)]) if node.input(1) else node.input(0)
    cube = node.append("Mul", [node.append("Mul", [x, x]), x])
    inner = node.append("Add", [x, node.append("Mul", [cube, node.number(0.044715)])])
    tanh = node.append("Tanh", [node.append("Mul", [inner, node.number(math.sqrt(2 / math.pi))])])
    factor = node.append("Add", [tanh, node.number(1.0)])
    return node.finish("Mul", [node.append("Mul", [x, node.number(0.5)]), factor])


def _quick_gelu(node: _Expansion) -> list[onnx.NodeProto]:
    """The product x sigmoid(alpha x)."""
    x, alpha = node.input(0), node.attributes.get("alpha", 1.702)
    return node.finish("Mul", [x, node.append("Sigmoid", [node.append("Mul", [x, node.number(alpha)])])])


def _windows_rank(node: _Expansion) -> int | None:
    return 2 + len(node.attributes.get("kernel_shape", ()))


def _weights_rank(node: _Expansion) -> int | None:
    return node.constant(3).ndim


EXPANSIONS: dict[tuple[str, str], Callable[[_Expansion], list[onnx.NodeProto]]] = {
    ("", "QLinearConv"): _convolution,
    (MICROSOFT, "BiasGelu"): _gelu,
    (MICROSOFT, "FastGelu"): _fast_gelu,
    (MICROSOFT, "Gelu"): _gelu,
    (MICROSOFT, "QLinearConv"): _channels_last(_convolution, _weights_rank),
    (MICROSOFT, "QuickGelu"): _quick_gelu,
    ("", "QLinearMatMul"): _matmul,
    (MICROSOFT, "QGemm"): _gemm,
    (MICROSOFT, "QLinearAdd"): _binary("Add"),
    (MICROSOFT, "QLinearMul"): _binary("Mul"),
    (MICROSOFT, "QLinearGlobalAveragePool"): _channels_last(
        _unary("GlobalAveragePool"), lambda node: node.rank
    ),
    (MICROSOFT, "QLinearAveragePool"): _channels_last(_average, _windows_rank),
    (MICROSOFT, "QLinearSigmoid"): _unary("Sigmoid"),
    (MICROSOFT, "QLinearLeakyRelu"): _unary("LeakyRelu"),
    (MICROSOFT, "QLinearSoftmax"): _softmax,
    (MICROSOFT, "QLinearConcat"): _concatenation,
}


def expand_qoperators(model: onnx.ModelProto) -> bool:
    """Rewrite the graph in place as far as ranks are known; whether there was something to rewrite.

    Raises UnsupportedError where scales or zero points are not constants.
    """
    opset = opset_of(model)
    shapes = shapes_of(model)
    editor = GraphEditor(model)
    nodes: list[onnx.NodeProto] = []
    is_changed = False
    for node in model.graph.node:
        expand = EXPANSIONS.get((node.domain, node.op_type))
        if node.domain == MICROSOFT and node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            node.domain = ""
        if expand is not None:
            rank = len(shapes[node.input[0]]) if node.input[0] in shapes else None
            replaced = onnx.NodeProto()
            replaced.CopyFrom(node)
            try:
                nodes.extend(expand(_Expansion(editor, replaced, opset, rank)))
                is_changed = True
                continue
            except RankUnknownError:
                pass
        nodes.append(node)
    editor.replace_nodes(nodes)
    if not any(entry.domain == "" for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid("", opset))
    return is_changed
