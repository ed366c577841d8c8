"""An architecture as a .tflite file, and the arena that TFLite Micro takes for it on this machine."""

import os
import re
import tempfile
from typing import Any

import numpy as np

from tests.tools.tflite_writer import ACTIVATION, PADDING, TFLiteWriter
from tinycc.search.architecture import Architecture, Convolution, Dense, Depthwise, Mean, Residual

_ARENA_BYTES = 4 << 20


def written(architecture: Architecture) -> bytes:
    """The file, as converters write it; all weights are 1."""
    writer = TFLiteWriter()
    made = [writer.add_tensor("x", (1, *architecture.input_shape), scale=0.1)]
    for index, layer in enumerate(architecture.layers):
        channels = architecture.source_shape(index)[-1]
        output = writer.add_tensor(f"y{index}", (1, *architecture.shapes[index]), scale=0.1)
        inputs = [made[-1]]
        match layer:
            case Residual():
                writer.add_operator("ADD", [*inputs, made[layer.of + 1]], [output], "AddOptions")
            case Mean():
                axes = writer.add_tensor(f"axes{index}", (2,), "int32", data=np.array([1, 2]))
                options: dict[str, Any] = {"KeepDims": False}
                writer.add_operator("MEAN", [*inputs, axes], [output], "ReducerOptions", 2, **options)
            case Dense():
                constants = _constants(writer, index, (layer.outputs, channels), 1, 0)
                writer.add_operator(
                    "FULLY_CONNECTED", [*inputs, *constants], [output], "FullyConnectedOptions", 4
                )
            case Convolution() | Depthwise():
                _add_convolution(writer, index, layer, inputs[0], output, channels)
        made.append(output)
    return writer.finish([made[0]], [made[-1]])


def arena_bytes(architecture: Architecture) -> tuple[int, int]:
    """Of activations and working memory, and of what is kept for good."""
    from tflite_micro import runtime

    interpreter = runtime.Interpreter.from_bytes(written(architecture), arena_size=_ARENA_BYTES)
    interpreter.set_input(np.zeros((1, *architecture.input_shape), np.int8), 0)
    interpreter.invoke()
    # It prints, from C, on the standard error.
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            interpreter.print_allocations()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        file.seek(0)
        printed = dict(re.findall(r"Arena allocation (\w+) (\d+) bytes", file.read().decode()))
    return int(printed["head"]), int(printed["tail"])


def _add_convolution(
    writer: TFLiteWriter, index: int, layer: Convolution | Depthwise, source: int, output: int, channels: int
) -> None:
    options: dict[str, Any] = {
        "Padding": PADDING["SAME"], "StrideH": layer.stride[0], "StrideW": layer.stride[1],
        "DilationHFactor": 1, "DilationWFactor": 1,
        "FusedActivationFunction": ACTIVATION["RELU6" if layer.is_clamped else "NONE"],
    }  # fmt: skip
    if isinstance(layer, Convolution):
        constants = _constants(writer, index, (layer.channels, *layer.kernel, channels), layer.channels, 0)
        kind, table = "CONV_2D", "Conv2DOptions"
    else:
        constants = _constants(writer, index, (1, *layer.kernel, channels), channels, 3)
        kind, table = "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions"
        options["DepthMultiplier"] = 1
    writer.add_operator(kind, [source, *constants], [output], table, 3, **options)


def _constants(
    writer: TFLiteWriter, index: int, shape: tuple[int, ...], scales: int, axis: int
) -> tuple[int, int]:
    """Weights and bias. scales: how many; the first axis of a dense layer's weights is its outputs."""
    channels = shape[axis]
    zeros = np.zeros(scales)
    weights = writer.add_tensor(
        f"w{index}", shape, scale=np.full(scales, 0.1), zero_point=zeros, axis=axis, data=np.ones(shape)
    )
    bias = writer.add_tensor(
        f"b{index}", (channels,), "int32", np.full(scales, 0.01), zeros, data=np.ones(channels)
    )
    return weights, bias
