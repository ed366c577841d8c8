"""Batch normalisations that no layer takes into its weights, as a product and a sum."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tinycc.frontend.onnx.file import constants_of, shapes_of

DEFAULT_EPSILON = 1e-5


def write_out_normalizations(model: onnx.ModelProto) -> None:
    """Each BatchNormalization of constants becomes a Mul and an Add, which can be quantized.

    model: with the shapes of all tensors.
    """
    constants, shapes = constants_of(model), shapes_of(model)
    nodes = []
    for node in model.graph.node:
        if node.op_type == "BatchNormalization" and set(node.input[1:]) <= constants.keys():
            nodes += _product_and_sum(model, node, constants, len(shapes[node.input[0]]))
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input}
    unread = [tensor for tensor in model.graph.initializer if tensor.name not in read]
    for tensor in unread:
        model.graph.initializer.remove(tensor)


def _product_and_sum(
    model: onnx.ModelProto, node: onnx.NodeProto, constants: dict[str, np.ndarray], rank: int
) -> list[onnx.NodeProto]:
    scale, shift, mean, variance = (constants[name] for name in node.input[1:5])
    epsilon = next((item.f for item in node.attribute if item.name == "epsilon"), DEFAULT_EPSILON)
    factor = scale / np.sqrt(variance + epsilon)
    across = (1, -1) + (1,) * (rank - 2)
    product, result = f"{node.output[0]}_product", node.output[0]
    operands = {f"{result}_factor": factor, f"{result}_offset": shift - mean * factor}
    model.graph.initializer.extend(
        numpy_helper.from_array(value.reshape(across).astype(np.float32), name)
        for name, value in operands.items()
    )
    model.graph.value_info.append(
        helper.make_tensor_value_info(product, onnx.TensorProto.FLOAT, shapes_of(model)[result])
    )
    first, second = operands
    return [
        helper.make_node("Mul", [node.input[0], first], [product]),
        helper.make_node("Add", [product, second], [result]),
    ]
