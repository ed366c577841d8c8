"""The quantized tensors of a QDQ file."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinycc.quantization.extra import library


@dataclass(frozen=True, eq=False)
class QuantizedLayer:
    """A tensor that is computed, quantized with one scale, and dequantized by those that read it.

    name: as the float model has it: what is quantized into an output of the model has the output's.
    quantize, dequantize: nodes.
    dtype, zero_point: of its integers in the file.
    """

    name: str
    quantize: Any
    dequantize: Any
    scale: float
    zero_point: int
    dtype: np.dtype[Any]

    @property
    def shift(self) -> int:
        """What the file's integers are above the device's, which are signed."""
        return 128 if self.dtype == np.uint8 else 0


def quantized_pairs(model: Any) -> Iterator[tuple[Any, Any]]:
    """Pairs of a QuantizeLinear and a DequantizeLinear that reads it."""
    quantizes = {node.output[0]: node for node in model.graph.node if node.op_type == "QuantizeLinear"}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in quantizes:
            yield quantizes[node.input[0]], node


def quantized_layers(model: Any) -> Iterator[QuantizedLayer]:
    """All of them, in the order of the file."""
    to_array = library("onnx.numpy_helper").to_array
    constants = {tensor.name: to_array(tensor) for tensor in model.graph.initializer}
    outputs = {value.name for value in model.graph.output}
    for quantize, dequantize in quantized_pairs(model):
        scale, zero_point = (constants.get(name) for name in (*quantize.input, "")[1:3])
        if scale is None or scale.size != 1:
            continue
        if zero_point is None:
            zero_point = np.zeros((), np.uint8)  # as the operator has it by default
        name = dequantize.output[0] if dequantize.output[0] in outputs else quantize.input[0]
        yield QuantizedLayer(
            name, quantize, dequantize, float(scale.item()), int(zero_point.item()), zero_point.dtype
        )
