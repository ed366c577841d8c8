"""What an ONNX file holds, operator by operator, also where tinycc refuses to compile it."""

import copy
from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from tinycc.errors import ModelError, TinyccError
from tinycc.frontend.description import ModelDescription, OperatorDescription, TensorDescription
from tinycc.frontend.onnx.constants import fold_constants
from tinycc.frontend.onnx.file import read_onnx
from tinycc.frontend.onnx.inference import constants_of, shapes_of, types_of
from tinycc.frontend.onnx.messages import first_line, located
from tinycc.frontend.onnx.narrow import narrow_refusal, stored_bytes
from tinycc.frontend.onnx.operators import operand_refusal, refusal
from tinycc.frontend.onnx.rewriting import attributes_of, tensors_read

# Where a QOperator's quantized result has its scale; the zero point is the input after it.
RESULT_SCALES = {
    "QLinearConcat": 0,
    "QLinearAveragePool": 3,
    "QLinearGlobalAveragePool": 3,
    "QLinearLeakyRelu": 3,
    "QLinearSigmoid": 3,
    "QLinearSoftmax": 3,
    "QLinearAdd": 6,
    "QLinearConv": 6,
    "QLinearMatMul": 6,
    "QLinearMul": 6,
    "QGemm": 7,
}


def describe_onnx(path: Path) -> ModelDescription:
    """The inputs, outputs and operators of a file; raises what reading it raises."""
    path = Path(path)
    model, _ = read_onnx(path, any_batch=True)
    try:
        return _describe(path, model)
    except TinyccError as error:
        raise located(path, error) from error
    except Exception as error:  # whatever a damaged graph makes the description stumble over
        raise ModelError(f"{path}: cannot be described: {first_line(error)}") from error


def _describe(path: Path, model: onnx.ModelProto) -> ModelDescription:
    reader = _Reader(path, model)
    return ModelDescription(
        path=path,
        format="onnx",
        inputs=tuple(reader.tensor(value.name) for value in model.graph.input),
        outputs=tuple(reader.tensor(value.name) for value in model.graph.output),
        operators=tuple(reader.operator(index, node) for index, node in enumerate(model.graph.node)),
        weight_bytes=sum(map(stored_bytes, model.graph.initializer)),
    )


class _Reader:
    def __init__(self, path: Path, model: onnx.ModelProto) -> None:
        self.shapes = shapes_of(model)
        self.types = types_of(model)
        self.constants = constants_of(model)
        self.read = tensors_read(model)
        folded = fold_constants(path, copy.deepcopy(model))
        self.values = constants_of(folded)
        self.computed = {name: node for node in folded.graph.node for name in node.output}
        self.quantizations: dict[str, str] = {}
        for node in model.graph.node:
            if node.op_type == "QuantizeLinear":
                self.quantizations[node.output[0]] = self._quantization(node, 1)
            elif node.op_type == "DequantizeLinear":
                self.quantizations.setdefault(node.input[0], self._quantization(node, 1))
            elif node.op_type in RESULT_SCALES:
                self.quantizations[node.output[0]] = self._quantization(node, RESULT_SCALES[node.op_type])

    def tensor(self, name: str) -> TensorDescription:
        """An input or output of the model."""
        return TensorDescription(
            name, self.shapes.get(name, ()), self._dtype(name), self.quantizations.get(name, "")
        )

    def operator(self, index: int, node: onnx.NodeProto) -> OperatorDescription:
        """One node of the graph."""
        output = node.output[0] if node.output else ""
        reason = self._reason(node)
        return OperatorDescription(
            index=index,
            kind=node.op_type,
            inputs=tuple(
                self.shapes.get(name, ()) for name in node.input if name and name not in self.constants
            ),
            output=self.shapes.get(output, ()),
            dtype=self._dtype(output),
            quantization=self.quantizations.get(output, ""),
            macs=self._macs(node),
            supported=not reason,
            reason=reason,
        )

    def _reason(self, node: onnx.NodeProto) -> str:
        """As the frontend refuses it: by its attributes, and by its operands once constants are folded."""
        folded = self.computed.get(node.output[0]) if node.output else None
        if folded is None:
            return ""  # a constant, or nobody reads it
        reason = refusal(folded, self.read) or operand_refusal(folded, self.shapes, self.values)
        return reason or narrow_refusal(folded, self.types) or ""

    def _dtype(self, name: str) -> str:
        kind = self.types.get(name, 0)
        return str(helper.tensor_dtype_to_np_dtype(kind)) if kind else ""

    def _quantization(self, node: onnx.NodeProto, index: int) -> str:
        names = list(node.input[index : index + 2])
        scale = self.constants.get(names[0]) if names else None
        if scale is None:
            return ""
        if scale.size > 1:
            return f"{scale.size} scales"
        zero_point = self.constants.get(names[1], np.zeros(1)) if len(names) > 1 else np.zeros(1)
        return f"scale {float(scale.flat[0]):.6g}, zero point {int(zero_point.flat[0])}"

    def _macs(self, node: onnx.NodeProto) -> int:
        """Multiply-accumulates: output elements x weights that each of them reads."""
        output = self.shapes.get(node.output[0], ()) if node.output else ()
        elements = int(np.prod(output))
        if node.op_type in ("Conv", "QLinearConv"):
            weights = self.shapes.get(node.input[3 if node.op_type == "QLinearConv" else 1], ())
            return elements * int(np.prod(weights[1:]))
        if node.op_type == "ConvTranspose":
            weights, source = self.shapes.get(node.input[1], ()), self.shapes.get(node.input[0], ())
            return int(np.prod(source)) * int(np.prod(weights[1:]))
        if node.op_type in ("MatMul", "Gemm", "QLinearMatMul", "QGemm"):
            source = self.shapes.get(node.input[0], ())
            depth = source[0 if attributes_of(node).get("transA") else -1] if source else 0
            return elements * int(depth)
        return 0
