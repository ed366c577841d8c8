"""Convolutions of an ONNX model that follow each other, and factors taken into their weights."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from tinycc.quantization.equalization import Pair, along

CHANNEL_AXIS = 1


@dataclass(frozen=True, eq=False)
class ConvPair(Pair):
    """The nodes of a pair."""

    before: onnx.NodeProto
    behind: onnx.NodeProto


def conv_pairs(model: onnx.ModelProto) -> list[ConvPair]:
    """Convolutions, one of them depthwise, that follow each other directly or behind a ReLU or ReLU6."""
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    reads = Counter(name for node in model.graph.node for name in node.input)
    reads.update(value.name for value in model.graph.output)
    readers = {name: node for node in model.graph.node for name in node.input if reads[name] == 1}
    return list(_pairs(model, constants, readers))


def _pairs(
    model: onnx.ModelProto, constants: Mapping[str, np.ndarray], readers: Mapping[str, onnx.NodeProto]
) -> Iterator[ConvPair]:
    def has_own_weights(node: onnx.NodeProto) -> bool:
        return all(name in constants and name in readers for name in node.input[1:] if name)

    for before in model.graph.node:
        tensor = before.output[0] if before.output else ""
        behind = readers.get(tensor)
        while behind is not None and _is_rectifier(behind, constants):
            tensor = behind.output[0]
            behind = readers.get(tensor)
        if behind is None or {before.op_type, behind.op_type} != {"Conv"} or behind.input[0] != tensor:
            continue
        if has_own_weights(before) and has_own_weights(behind):
            groups, channels = _groups(behind), len(constants[behind.input[1]])
            is_depthwise = groups == channels > 1
            begins_depthwise = _groups(before) == len(constants[before.input[1]]) > 1
            if is_depthwise or (begins_depthwise and groups == 1):
                yield ConvPair(tensor, CHANNEL_AXIS, is_depthwise, before, behind)


def _groups(node: onnx.NodeProto) -> int:
    return next((item.i for item in node.attribute if item.name == "group"), 1)


def _is_rectifier(node: onnx.NodeProto, constants: Mapping[str, np.ndarray]) -> bool:
    if node.op_type != "Clip":
        return node.op_type == "Relu"
    ends = [float(constants[name]) for name in node.input[1:3] if name in constants]
    return len(ends) == 2 and ends[0] == 0 < ends[1]


def scale_pairs(model: onnx.ModelProto, pairs: list[ConvPair], factors: Mapping[str, np.ndarray]) -> None:
    """Multiply what each pair's tensor holds by its factors, and divide it again behind."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}

    def multiply(name: str, values: np.ndarray, axis: int) -> None:
        array = numpy_helper.to_array(constants[name])
        scaled = (array * along(values, axis, array.ndim)).astype(array.dtype)
        constants[name].CopyFrom(numpy_helper.from_array(scaled, name))

    for pair in pairs:
        values = factors[pair.tensor]
        for name in filter(None, pair.before.input[1:]):
            multiply(name, values, 0)
        multiply(pair.behind.input[1], 1 / values, 0 if pair.is_depthwise else 1)
