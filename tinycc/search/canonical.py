"""An architecture with canonical weights: those of a network that no weight makes special.

They are random from a seed: no channel is dead, and all kernels can do with them, so that such a network
costs what its geometry does. Trained weights can cost something else: channels may be dead, or sums too large
for a kernel.
"""

from typing import TypeAlias

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.edges import Edge, Edges, with_edges
from tinycc.search.architecture import Architecture, Convolution, Dense, Depthwise, Layer, Mean, Residual

# Scale and zero point of a tensor.
Parameters: TypeAlias = tuple[float, int]
# Behind ReLU6, and of any other.
CLAMPED, FREE = (6.0 / 255, -128), (1.0 / 32, 0)
# How large weights are at most, and biases.
_MOST_WEIGHT, _MOST_BIAS = 100, 1000


def parameters_after(layer: Layer | None) -> Parameters:
    """Scale and zero point of a layer's result; None for the input."""
    return CLAMPED if isinstance(layer, Convolution | Depthwise) and layer.is_clamped else FREE


def canonical_module(architecture: Architecture, seed: int = 0) -> tvm.IRModule:
    """The network in the normal form, as `tinycc.compile` takes it; its input and output are int8."""
    random = np.random.default_rng(seed)
    image = relax.Var("x", relax.TensorType((1, *architecture.input_shape), "int8"))
    builder = relax.BlockBuilder()
    with builder.function("main", [image]):
        with builder.dataflow():
            made: list[relax.Expr] = [image]
            parameters = [parameters_after(None)]
            for index, layer in enumerate(architecture.layers):
                read = [-1, layer.of + 1] if isinstance(layer, Residual) else [-1]
                sources = [_real(made[place], *parameters[place]) for place in read]
                after = parameters_after(layer)
                channels = architecture.source_shape(index)[-1]
                value = _computed(layer, sources, channels, (parameters[-1][0], after[0]), random)
                made.append(builder.emit(_quantized(value, *after)))
                parameters.append(after)
            output = builder.emit_output(made[-1])
        builder.emit_func_output(output)
    module = builder.get()
    shapes = (architecture.input_shape, architecture.shapes[-1])
    edges = [
        Edge(name, "int8", (1, *shape), *item)
        for name, shape, item in zip("xy", shapes, (parameters[0], parameters[-1]), strict=True)
    ]
    main = with_edges(module["main"], Edges((edges[0],), (edges[1],)))
    module.update_func(module.get_global_var("main"), main)
    return module


def _computed(
    layer: Layer,
    sources: list[relax.Expr],
    channels: int,
    scales: tuple[float, float],
    random: np.random.Generator,
) -> relax.Expr:
    """The real result of a layer.

    channels: of what it reads. scales: of its input and its output.
    """
    match layer:
        case Residual():
            return relax.op.add(*sources)
        case Mean():
            return relax.op.mean(sources[0], [1, 2])
        case Dense(outputs):
            weights, bias = _constants(random, (channels, outputs), channels, scales)
            return relax.op.add(relax.op.matmul(sources[0], weights), bias)
    shape = (channels, layer.channels) if isinstance(layer, Convolution) else (1, channels)
    weights, bias = _constants(
        random, (*layer.kernel, *shape), layer.kernel[0] * layer.kernel[1] * shape[0], scales
    )
    product = relax.op.nn.conv2d(
        sources[0],
        weights,
        strides=layer.stride,
        padding=[side // 2 for side in layer.kernel] * 2,
        groups=1 if isinstance(layer, Convolution) else channels,
        data_layout="NHWC",
        kernel_layout="HWIO",
    )
    value = relax.op.add(product, bias)
    return relax.op.clip(value, 0, 6) if layer.is_clamped else value


def _constants(
    random: np.random.Generator, shape: tuple[int, ...], taps: int, scales: tuple[float, float]
) -> tuple[relax.Expr, relax.Expr]:
    """Real weights, output channels last, and the bias. taps: products that are summed."""
    channels = shape[-1]
    factors = random.uniform(0.5, 1.5, channels) / (_MOST_WEIGHT * np.sqrt(taps))
    # Of an input and an output of about the same spread.
    weight_scales = (factors * scales[1] / scales[0]).astype(np.float32)
    weights = random.integers(-_MOST_WEIGHT, _MOST_WEIGHT + 1, shape).astype(np.int8)
    # Behind ReLU6 all inputs are positive, and a channel of negative weights alone would be dead.
    weights.reshape(-1, channels)[0] = _MOST_WEIGHT
    bias = random.integers(-_MOST_BIAS, _MOST_BIAS + 1, channels).astype(np.int32)
    return _real(weights, weight_scales), _real(bias, np.float32(scales[0]) * weight_scales)


def _real(stored: relax.Expr | np.ndarray, scale: float | np.ndarray, zero_point: int = 0) -> relax.Expr:
    """Integers as the real numbers that they stand for. scale: one, or a vector along the last axis."""
    value = tvm_adapter.make_constant(stored) if isinstance(stored, np.ndarray) else stored
    scales = relax.const(np.float32(scale), "float32")
    return relax.op.dequantize(value, scales, relax.const(zero_point, "int32"), axis=-1)


def _quantized(value: relax.Expr, scale: float, zero_point: int) -> relax.Expr:
    scales = relax.const(np.float32(scale), "float32")
    return relax.op.quantize(value, scales, relax.const(zero_point, "int32"), out_dtype="int8")
