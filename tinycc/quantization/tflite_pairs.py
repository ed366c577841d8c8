"""Convolutions of a TFLite model that follow each other, and factors taken into their weights."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from tinycc.quantization.equalization import Pair, along
from tinycc.quantization.extra import library

CHANNEL_AXIS = 3


@dataclass(frozen=True, eq=False)
class ConvPair(Pair):
    """The operators of a pair, and whether the first is depthwise itself."""

    before: Any
    behind: Any
    begins_depthwise: bool


def conv_pairs(model: Any) -> list[ConvPair]:
    """Convolutions, one of them depthwise, that follow each other directly or behind a ReLU or ReLU6."""
    graph = model.subgraphs[0]
    reads = Counter(index for operator in graph.operators for index in operator.inputs)
    reads.update(graph.outputs)
    readers = {
        index: operator for operator in graph.operators for index in operator.inputs if reads[index] == 1
    }
    buffers = Counter(tensor.buffer for tensor in graph.tensors)
    return list(_pairs(model, readers, buffers))


def _pairs(model: Any, readers: Mapping[int, Any], buffers: Mapping[int, int]) -> Iterator[ConvPair]:
    schema = library("ai_edge_litert.schema_py_generated")
    graph = model.subgraphs[0]
    depthwise, rectifiers = schema.BuiltinOperator.DEPTHWISE_CONV_2D, schema.ActivationFunctionType
    kinds = {schema.BuiltinOperator.CONV_2D, depthwise}

    def kind(operator: Any) -> int:
        return int(model.operatorCodes[operator.opcodeIndex].builtinCode)

    def has_own_weights(operator: Any) -> bool:
        tensors = [graph.tensors[index] for index in operator.inputs[1:] if index >= 0]
        return all(index in readers for index in operator.inputs[1:] if index >= 0) and all(
            model.buffers[each.buffer].data is not None and buffers[each.buffer] == 1 for each in tensors
        )

    for before in graph.operators:
        behind = readers.get(before.outputs[0])
        if behind is None or behind.inputs[0] != before.outputs[0]:
            continue
        if depthwise not in (kind(before), kind(behind)) or {kind(before), kind(behind)} - kinds:
            continue
        activation = before.builtinOptions.fusedActivationFunction
        is_rectified = activation in (rectifiers.NONE, rectifiers.RELU, rectifiers.RELU6)
        is_depthwise = kind(behind) == depthwise
        multiplies = is_depthwise and behind.builtinOptions.depthMultiplier != 1
        if is_rectified and not multiplies and has_own_weights(before) and has_own_weights(behind):
            name = graph.tensors[before.outputs[0]].name.decode()
            yield ConvPair(name, CHANNEL_AXIS, is_depthwise, before, behind, kind(before) == depthwise)


def scale_pairs(model: Any, pairs: list[ConvPair], factors: Mapping[str, np.ndarray]) -> None:
    """Multiply what each pair's tensor holds by its factors, and divide it again behind."""
    graph = model.subgraphs[0]

    def multiply(index: int, values: np.ndarray, axis: int) -> None:
        tensor = graph.tensors[index]
        array = np.frombuffer(bytes(model.buffers[tensor.buffer].data), "<f4").reshape(tensor.shape)
        scaled = (array * along(values, axis, array.ndim)).astype("<f4")
        model.buffers[tensor.buffer].data = np.frombuffer(scaled.tobytes(), np.uint8)

    for pair in pairs:
        values = factors[pair.tensor]
        kernel, *bias = (index for index in pair.before.inputs[1:] if index >= 0)
        multiply(kernel, values, CHANNEL_AXIS if pair.begins_depthwise else 0)
        for index in bias:
            multiply(index, values, 0)
        multiply(pair.behind.inputs[1], 1 / values, CHANNEL_AXIS)
