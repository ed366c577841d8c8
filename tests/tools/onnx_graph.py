"""Small ONNX graphs of int8 operators between dequantize and quantize, built node by node."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Shape = tuple[int, ...]


class Graph:
    """An ONNX graph of int8 QDQ operators under construction; methods return tensor names."""

    def __init__(self, opset: int = 13) -> None:
        self.opset = opset
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.random = np.random.default_rng(7)

    def constant(self, value: Any) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def call(self, kind: str, operands: list[str], count: int = 1, **attributes: Any) -> list[str]:
        results = [f"{kind}{len(self.nodes)}_{index}" for index in range(count)]
        self.nodes.append(helper.make_node(kind, operands, results, **attributes))
        return results

    def integers(self, shape: Shape, *_quantization: float) -> str:
        name = f"x{len(self.inputs)}"
        self.inputs.append(helper.make_tensor_value_info(name, onnx.TensorProto.INT8, shape))
        return name

    def input(self, shape: Shape, scale: float = 0.05, zero_point: int = 3) -> str:
        operands = [
            self.integers(shape),
            self.constant(np.float32(scale)),
            self.constant(np.int8(zero_point)),
        ]
        return self.call("DequantizeLinear", operands)[0]

    def weights(self, shape: Shape, axis: int | None = None) -> str:
        values = self.constant(self.random.integers(-127, 128, shape).astype(np.int8))
        more = {} if axis is None else {"axis": axis}
        scale = self.random.uniform(0.005, 0.015, () if axis is None else shape[axis])
        scale = np.asarray(scale, np.float32)
        zero_point = np.zeros(scale.shape, np.int8)
        operands = [values, self.constant(scale), self.constant(zero_point)]
        return self.call("DequantizeLinear", operands, **more)[0]

    def output(self, name: str, scale: float = 0.05, zero_point: int = 3) -> None:
        operands = [name, self.constant(np.float32(scale)), self.constant(np.int8(zero_point))]
        result = self.call("QuantizeLinear", operands)[0]
        self.outputs.append(helper.make_tensor_value_info(result, onnx.TensorProto.INT8, None))

    def model(self) -> onnx.ModelProto:
        graph = helper.make_graph(self.nodes, "graph", self.inputs, self.outputs, self.constants)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8 if self.opset < 21 else 10)

    def save(self, folder: Path) -> Path:
        path = folder / "model.onnx"
        onnx.save(onnx.shape_inference.infer_shapes(self.model()), path)
        return path
