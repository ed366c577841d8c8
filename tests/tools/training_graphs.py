"""Random small networks that can be trained: layers, residual sums, gates and pools.

Every tensor has a scale and a zero point of its own.
"""

from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax

from tests.tools.kernel_runner import dequantized, quantized
from tinycc.edges import Edge, Edges, with_edges


@dataclass(frozen=True)
class _Value:
    """An int8 tensor."""

    variable: relax.Var
    shape: tuple[int, ...]
    scale: float
    zero_point: int


class _Graph:
    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.builder = relax.BlockBuilder()

    def quantized(self, real: relax.Expr, shape: tuple[int, ...], spread: float) -> _Value:
        """A result, to which a clamp may be fused. spread: of its real numbers."""
        scale = float(np.float32(spread * self.random.uniform(0.6, 1.4) / 60))
        zero_point = int(self.random.integers(-60, 60))
        activation = self.random.choice(["none", "relu", "clip"])
        if activation == "relu":
            real, zero_point = relax.op.nn.relu(real), -128
        elif activation == "clip":
            real, zero_point = relax.op.clip(real, 0, 2 * spread), -128
        variable = self.builder.emit(quantized(real, scale, zero_point))
        return _Value(variable, shape, scale, zero_point)

    def real(self, value: _Value) -> relax.Expr:
        return dequantized(value.variable, value.scale, value.zero_point)

    def layer(
        self, source: _Value, outputs: int, *, kernel: int = 1, stride: int = 1, depthwise: bool = False
    ) -> _Value:
        """A convolution with a bias; padded so that outputs are of the input's size, or a half of it."""
        inputs, groups = (1, source.shape[3]) if depthwise else (source.shape[3], 1)
        weights = self.random.integers(-127, 128, (kernel, kernel, inputs, outputs)).astype(np.int8)
        scales = (self.random.uniform(0.005, 0.02, outputs)).astype(np.float32)
        product = relax.op.nn.conv2d(
            self.real(source), dequantized(weights, scales), strides=(stride, stride),
            padding=[kernel // 2] * 4, groups=groups, data_layout="NHWC", kernel_layout="HWIO",
        )  # fmt: skip
        spread = source.scale * 60 * 0.9 * np.sqrt(kernel * kernel * inputs)
        real = self.biased(product, outputs, np.float32(source.scale) * scales, spread)
        sizes = (-(-size // stride) for size in source.shape[1:3])
        return self.quantized(real, (1, *sizes, outputs), spread)

    def biased(self, product: relax.Expr, outputs: int, scales: np.ndarray, spread: float) -> relax.Expr:
        bias = (self.random.normal(size=outputs) * spread / 2 / scales).astype(np.int32)
        return relax.op.add(product, dequantized(bias, scales))

    def add(self, a: _Value, b: _Value) -> _Value:
        return self.quantized(relax.op.add(self.real(a), self.real(b)), a.shape, 60 * (a.scale + b.scale))

    def gated(self, source: _Value) -> _Value:
        """Scaled by what a layer makes of its own mean."""
        mean = self.mean(source)
        gate = self.layer(mean, source.shape[3])
        spread = 60 * 60 * source.scale * gate.scale
        return self.quantized(relax.op.multiply(self.real(source), self.real(gate)), source.shape, spread)

    def mean(self, source: _Value) -> _Value:
        shape = (1, 1, 1, source.shape[3])
        real = relax.op.mean(self.real(source), [1, 2], keepdims=True)
        return self.quantized(real, shape, 30 * source.scale)

    def halved(self, source: _Value) -> _Value:
        """By an average, or a maximum."""
        shape = (1, source.shape[1] // 2, source.shape[2] // 2, source.shape[3])
        if self.random.random() < 0.5:
            pooled = relax.op.nn.max_pool2d(source.variable, (2, 2), strides=(2, 2), layout="NHWC")
            return _Value(self.builder.emit(pooled), shape, source.scale, source.zero_point)
        pooled = relax.op.nn.avg_pool2d(self.real(source), (2, 2), strides=(2, 2), layout="NHWC")
        return self.quantized(pooled, shape, 40 * source.scale)

    def logits(self, source: _Value, classes: int) -> _Value:
        count = int(np.prod(source.shape))
        weights = self.random.integers(-127, 128, (count, classes)).astype(np.int8)
        flat = self.builder.emit(relax.op.reshape(source.variable, (1, count)))
        real = dequantized(flat, source.scale, source.zero_point)
        # No label is certain, or there would be no gradient.
        spread = 3.0
        scales = np.full(classes, spread / (70 * source.scale * 40 * np.sqrt(count)), np.float32)
        product = relax.op.matmul(real, dequantized(weights, scales))
        biased = self.biased(product, classes, np.float32(source.scale) * scales, spread)
        scale = float(np.float32(spread / 60))
        return _Value(self.builder.emit(quantized(biased, scale, 5)), (1, classes), scale, 5)


def training_graph(seed: int, classes: int = 4) -> tvm.IRModule:
    """A network of about eight layers, from an image [1,8,8,3] to logits [1,classes]."""
    graph = _Graph(seed)
    image = relax.Var("image", relax.TensorType((1, 8, 8, 3), "int8"))
    with graph.builder.function("main", [image]):
        with graph.builder.dataflow():
            value = graph.layer(_Value(image, (1, 8, 8, 3), 0.02, -7), 6, kernel=3)
            for _ in range(2):
                block = graph.layer(value, 10)
                block = graph.layer(block, 10, kernel=int(graph.random.choice([3, 5])), depthwise=True)
                block = graph.layer(block, 6)
                # Read twice: by the sum, and by the block; and once more by another.
                value = graph.add(graph.add(value, block), value)
                if graph.random.random() < 0.5:
                    value = graph.gated(value)
            value = graph.layer(value, 6, kernel=3, stride=2, depthwise=True)
            value = graph.logits(graph.halved(value), classes)
            result = graph.builder.emit_output(value.variable)
        graph.builder.emit_func_output(result)
    edges = Edges(
        (Edge("image", "int8", (1, 8, 8, 3), 0.02, -7),),
        (Edge("logits", "int8", value.shape, value.scale, value.zero_point),),
    )
    return tvm.IRModule({"main": with_edges(graph.builder.get()["main"], edges)})
