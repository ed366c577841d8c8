"""Each layer of an ONNX file on its own: what onnxruntime makes of the integers that the C has before it.

Two runtimes round differently, a step now and then, and all layers behind pass it on. Here every layer is
given the C's results of the layers before in place of onnxruntime's, so that what differs is its own.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from tinycc.quantization.calibration import Case
from tinycc.quantization.extra import library
from tinycc.quantization.onnx_layers import quantized_layers
from tinycc.quantization.runtime import OnnxRuntime


def isolated_layers(
    content: bytes, cases: Sequence[Case], computed: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """What onnxruntime has for layers of a QDQ file, by name: real numbers, not yet rounded to integers.

    cases: of the model's inputs.
    computed: what the C has for these layers, signed integers [cases, *shape] in the layout of the file.
    Returns float32 arrays of the same shapes. Raises UnsupportedError where onnxruntime refuses the model.
    """
    onnx = library("onnx")
    model = onnx.load_model_from_string(content)
    layers = [layer for layer in quantized_layers(model) if layer.name in computed]
    given = []
    for layer in layers:
        integers = (computed[layer.name].astype(np.int64) + layer.shift).astype(layer.dtype)
        given.append(integers)
        name = f"{layer.name} of the C"
        for node in model.graph.node:
            node.input[:] = [name if read == layer.quantize.output[0] else read for read in node.input]
        kind = onnx.helper.np_dtype_to_tensor_dtype(layer.dtype)
        model.graph.input.append(onnx.helper.make_tensor_value_info(name, kind, integers.shape[1:]))
    names = {layer.name: layer.quantize.input[0] for layer in layers}
    runtime = OnnxRuntime(model.SerializeToString(), frozenset(names.values()))
    rows = [
        runtime.tensors((*case, *(integers[index] for integers in given))) for index, case in enumerate(cases)
    ]
    return {name: np.stack([row[tensor] for row in rows]) for name, tensor in names.items()}
