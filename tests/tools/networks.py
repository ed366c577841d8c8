"""Small convolutional networks as modules in the normal form: chains, residual blocks, reductions."""

from dataclasses import dataclass, field

import numpy as np
import tvm
from tvm import relax

from tests.tools.kernel_runner import dequantized, module_of, quantized

SCALE, ZERO_POINT = 0.05, 3


@dataclass
class Network:
    """A network under construction; each method takes and returns an int8 NHWC expression.

    weight_range: what weights may be, ends included. weight_scale: what they are multiplied by.
    """

    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    weight_range: tuple[int, int] = (-127, 127)
    weight_scale: float = 0.01

    def _weights(self, *shape: int) -> relax.Expr:
        low, high = self.weight_range
        return dequantized(self.random.integers(low, high + 1, shape).astype(np.int8), self.weight_scale)

    def _finish(self, value: relax.Expr) -> relax.Expr:
        return quantized(value, SCALE, ZERO_POINT)

    def _real(self, x: relax.Expr) -> relax.Expr:
        return dequantized(x, SCALE, ZERO_POINT)

    def convolution(
        self, x: relax.Expr, channels: int, inputs: int, kernel: int = 1, stride: int = 1
    ) -> relax.Expr:
        """SAME padding."""
        weights = self._weights(kernel, kernel, inputs, channels)
        product = relax.op.nn.conv2d(
            self._real(x), weights, strides=(stride, stride), padding=[kernel // 2] * 4,
            data_layout="NHWC", kernel_layout="HWIO",
        )  # fmt: skip
        return self._finish(product)

    def depthwise(self, x: relax.Expr, channels: int, kernel: int = 3, stride: int = 1) -> relax.Expr:
        """SAME padding."""
        weights = self._weights(kernel, kernel, 1, channels)
        product = relax.op.nn.conv2d(
            self._real(x), weights, strides=(stride, stride), padding=[kernel // 2] * 4,
            groups=channels, data_layout="NHWC", kernel_layout="HWIO",
        )  # fmt: skip
        return self._finish(product)

    def add(self, a: relax.Expr, b: relax.Expr) -> relax.Expr:
        """Two tensors of one shape."""
        return self._finish(relax.op.add(self._real(a), self._real(b)))

    def scaled(self, a: relax.Expr, gate: relax.Expr) -> relax.Expr:
        """A tensor times one value for each channel."""
        return self._finish(relax.op.multiply(self._real(a), self._real(gate)))

    def curved(self, x: relax.Expr) -> relax.Expr:
        """The hyperbolic tangent of each element."""
        return self._finish(relax.op.tanh(self._real(x)))

    def mean(self, x: relax.Expr) -> relax.Expr:
        """Over all pixels."""
        return self._finish(relax.op.mean(self._real(x), [1, 2], keepdims=True))

    def average(self, x: relax.Expr, kernel: tuple[int, int]) -> relax.Expr:
        """Over windows side by side."""
        return self._finish(relax.op.nn.avg_pool2d(self._real(x), kernel, strides=kernel, layout="NHWC"))

    def pooled(self, x: relax.Expr) -> relax.Expr:
        """2x2 maximum."""
        return relax.op.nn.max_pool2d(x, (2, 2), strides=(2, 2), layout="NHWC")

    def dense(self, x: relax.Expr, inputs: int, outputs: int) -> relax.Expr:
        """All elements of x."""
        weights = self._weights(inputs, outputs)
        product = relax.op.matmul(self._real(relax.op.reshape(x, (1, inputs))), weights)
        return self._finish(product)


def inverted_residual(height: int = 8, width: int = 6, channels: int = 4, expansion: int = 6) -> tvm.IRModule:
    """Pointwise to many channels, depthwise, pointwise back, plus the input."""
    network = Network()

    def body(x: relax.Expr) -> relax.Expr:
        wide = network.convolution(x, channels * expansion, channels)
        deep = network.depthwise(wide, channels * expansion)
        return network.add(network.convolution(deep, channels, channels * expansion), x)

    return shared(module_of([((1, height, width, channels), "int8")], body))


def squeeze_and_excite(
    height: int = 12, width: int = 8, channels: int = 4, expansion: int = 6
) -> tvm.IRModule:
    """An inverted residual whose wide tensor is scaled by what its own mean says."""
    network, wide = Network(), channels * expansion

    def body(x: relax.Expr) -> relax.Expr:
        deep = network.depthwise(network.convolution(x, wide, channels), wide)
        gate = network.convolution(network.convolution(network.mean(deep), 3, wide), wide, 3)
        return network.add(network.convolution(network.scaled(deep, gate), channels, wide), x)

    return shared(module_of([((1, height, width, channels), "int8")], body))


def shared(module: tvm.IRModule) -> tvm.IRModule:
    """Expressions that a body used twice become one binding."""
    return relax.transform.EliminateCommonSubexpr()(module)
