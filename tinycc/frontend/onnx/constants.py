"""Constant expressions of an ONNX graph, computed before the import."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from tinycc.errors import ModelError
from tinycc.frontend.onnx.attributes import ELEMENTWISE
from tinycc.frontend.onnx.branches import taken_branch
from tinycc.frontend.onnx.inference import MAX_TENSOR_ELEMENTS, infer_shapes, shapes_of
from tinycc.frontend.onnx.operators import parameters_of
from tinycc.frontend.onnx.rewriting import GraphEditor, label, opset_of, reads_of, tensors_read

# What moves elements: of weights that are dequantized it is done on the integers, after the import.
MOVING = {
    "Concat", "Expand", "Flatten", "Gather", "Identity", "Pad", "Reshape", "Slice", "Split", "Squeeze",
    "Tile", "Transpose", "Unsqueeze",
}  # fmt: skip
COMPUTED = MOVING | set(ELEMENTWISE) | {
    "Add", "And", "Cast", "CastLike", "Clip", "Constant", "ConstantOfShape", "Div", "Equal", "Greater",
    "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Not", "Or", "Pow", "QuantizeLinear",
    "Range", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceSum", "ScatterND", "Shape", "Size", "Sub",
    "Where",
}  # fmt: skip


def fold_constants(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    """Compute nodes whose inputs are all constant, and shapes; float weights that are quantized become int8.

    A DequantizeLinear of constants stays, and what only moves its elements, so that weights stay integers;
    but what computes with it takes its value, and so does a parameter (a bound, a scale, a shape, an axis).
    An If on a constant becomes the branch that it takes.
    """
    constants = _Constants(model)
    read = tensors_read(model)
    kept = []
    waiting = list(model.graph.node)[::-1]
    while waiting:
        node = waiting.pop()
        if node.op_type == "If" and node.input[0] in constants:
            waiting += taken_branch(node, constants.value(node.input[0]), constants.editor)[::-1]
            continue
        if node.op_type == "Dropout" and not (read.intersection(node.output[1:]) or _trains(node, constants)):
            node = helper.make_node("Identity", [node.input[0]], list(node.output[:1]), name=node.name)
        if not constants.compute(node):
            kept.append(node)
    for node in kept:
        constants.replace_parameters(node)
    constants.editor.replace_nodes(_read(model, kept))
    return infer_shapes(path, model)


def _read(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> list[onnx.NodeProto]:
    """The nodes that the outputs depend on, in order."""
    wanted = {value.name for value in model.graph.output}
    read = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(reads_of(node))
            read.append(node)
    return read[::-1]


def _elements(kind: str, operands: list[np.ndarray | None]) -> float:
    """How many elements an operator makes of constants that say how many; 0 of any other operator."""
    values = [np.zeros(0) if value is None else value.astype(np.float64) for value in operands]
    if kind == "ConstantOfShape":
        return float(np.prod(values[0]))
    if kind == "Expand":
        rank = max(values[0].ndim, values[1].size)
        shape = np.ones((2, rank))
        shape[0, rank - values[0].ndim :] = values[0].shape
        shape[1, rank - values[1].size :] = values[1].reshape(-1)
        return float(np.prod(shape.max(axis=0)))
    if kind == "Tile":
        return float(np.prod(values[1]) * values[0].size)
    if kind == "Range":
        start, limit, step = (value.item() for value in values[:3])
        return abs((limit - start) / step) if step else 0.0
    return 0.0


def _trains(node: onnx.NodeProto, constants: "_Constants") -> bool:
    mode = node.input[2] if len(node.input) > 2 else ""
    return bool(mode) and (mode not in constants or bool(constants.value(mode)))


class _Constants:
    """The constants of a graph by name, those that a node of the graph still computes among them."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.editor = GraphEditor(model)
        self._shapes = shapes_of(model)
        self._opsets = [helper.make_opsetid(entry.domain, entry.version) for entry in model.opset_import]
        # The first opset whose evaluator knows scales for each index, and integers of any width.
        self._dequantizing = [helper.make_opsetid("", max(21, opset_of(model)))]
        self._dequantized: dict[str, onnx.NodeProto] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.editor.constants or name in self._dequantized

    def value(self, name: str) -> np.ndarray:
        """The array of a constant."""
        if name in self.editor.constants:
            return self.editor.constants[name]
        node = self._dequantized[name]
        return self._evaluated(node)[list(node.output).index(name)]

    def compute(self, node: onnx.NodeProto) -> bool:
        """Whether the node's results became initializers, so that it is needed no more."""
        names = [name for name in node.input if name]
        is_shape = node.op_type in ("Shape", "Size") and names[0] in self._shapes
        if node.domain or not (is_shape or all(name in self for name in names)):
            return False
        if node.op_type == "DequantizeLinear" or (
            node.op_type in MOVING and any(name in self._dequantized for name in names)
        ):
            self._dequantized.update(dict.fromkeys(node.output, node))
            return False
        if node.op_type not in COMPUTED:
            return False
        for name, value in zip(node.output, self._evaluated(node), strict=True):
            self.editor.constants[name] = value
            self.editor.graph.initializer.append(numpy_helper.from_array(value, name))
        return True

    def replace_parameters(self, node: onnx.NodeProto) -> None:
        """Parameters that are dequantized become plain constants."""
        for index in parameters_of(node):
            if index < len(node.input) and node.input[index] in self._dequantized:
                name = node.input[index]
                node.input[index] = self.editor.add_constant(f"{name}_value", self.value(name))

    def _evaluated(self, node: onnx.NodeProto) -> list[np.ndarray]:
        for name in node.output:
            if np.prod([float(size) for size in self._shapes.get(name, ())]) > MAX_TENSOR_ELEMENTS:
                raise ModelError(f"tensor {name!r} has more than {MAX_TENSOR_ELEMENTS} elements")
        operands = {name: self.value(name) for name in node.input if name in self}
        if _elements(node.op_type, [operands.get(name) for name in node.input]) > MAX_TENSOR_ELEMENTS:
            raise ModelError(f"{label(node)}: its result has more than {MAX_TENSOR_ELEMENTS} elements")
        if node.op_type in ("Shape", "Size"):
            operands[node.input[0]] = np.broadcast_to(np.float32(0), self._shapes[node.input[0]])
        graph = helper.make_graph(
            [node],
            "constant",
            [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
                for name, value in operands.items()
            ],
            [onnx.ValueInfoProto(name=name) for name in node.output],
        )
        try:
            opsets = self._dequantizing if node.op_type == "DequantizeLinear" else self._opsets
            evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=opsets))
            return [np.asarray(value) for value in evaluator.run(None, operands)]
        except Exception as error:  # the evaluator raises what numpy raises
            raise ModelError(f"{label(node)}: its constants cannot be computed ({error})") from error
