"""TFLite models of blocks that split channels: C2f of YOLOv8, and a unit of ShuffleNetV2.

Both end in a mean over all pixels and a dense layer. Weights are random, scales such that values spread over
int8 or int16.
"""

from dataclasses import dataclass, field

import numpy as np

from tests.tools.tflite_writer import ACTIVATION, PADDING, TFLiteWriter

SCALE = 0.05
WEIGHT_SCALE = 0.01
CLASSES = 4


@dataclass(frozen=True)
class Value:
    """A tensor of the file; all have one scale, so that they can be joined and split."""

    index: int
    shape: tuple[int, ...]


@dataclass
class Blocks:
    """A file that grows operator by operator; dtype: of the activations."""

    dtype: str = "int8"
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))
    net: TFLiteWriter = field(default_factory=TFLiteWriter)
    count: int = 0

    def value(self, *shape: int) -> Value:
        self.count += 1
        return Value(self.net.add_tensor(f"t{self.count}", shape, self.dtype, scale=SCALE), shape)

    def constant(self, data: np.ndarray, scale: float | None = None) -> int:
        self.count += 1
        return self.net.add_tensor(f"c{self.count}", data.shape, str(data.dtype), scale, data=data)

    def weights(self, shape: tuple[int, ...], channels: int, terms: int) -> list[int]:
        """Weights and bias of a layer whose outputs spread like its inputs."""
        limit = max(1, min(127, round(100 / np.sqrt(terms) * 1.7)))
        weights = self.random.integers(-limit, limit + 1, shape).astype(np.int8)
        wide = "int32" if self.dtype == "int8" else "int64"
        bias = self.random.integers(-2000, 2000, channels).astype(wide)
        return [self.constant(weights, WEIGHT_SCALE), self.constant(bias, SCALE * WEIGHT_SCALE)]

    def convolved(self, x: Value, channels: int, kernel: int = 1) -> Value:
        """A convolution of the same size, and a ReLU."""
        result = self.value(*x.shape[:3], channels)
        shape = (channels, kernel, kernel, x.shape[3])
        weights = self.weights(shape, channels, kernel * kernel * x.shape[3])
        self.net.add_operator(
            "CONV_2D", [x.index, *weights], [result.index], "Conv2DOptions",
            Padding=PADDING["SAME"], StrideW=1, StrideH=1, FusedActivationFunction=ACTIVATION["RELU"],
            DilationWFactor=1, DilationHFactor=1,
        )  # fmt: skip
        return result

    def depthwise(self, x: Value) -> Value:
        """A depthwise 3x3 convolution of the same size."""
        result = self.value(*x.shape)
        weights = self.weights((1, 3, 3, x.shape[3]), x.shape[3], 9)
        self.net.add_operator(
            "DEPTHWISE_CONV_2D", [x.index, *weights], [result.index], "DepthwiseConv2DOptions",
            Padding=PADDING["SAME"], StrideW=1, StrideH=1, DepthMultiplier=1,
            DilationWFactor=1, DilationHFactor=1,
        )  # fmt: skip
        return result

    def added(self, one: Value, other: Value) -> Value:
        result = self.value(*one.shape)
        self.net.add_operator("ADD", [one.index, other.index], [result.index], "AddOptions")
        return result

    def halves(self, x: Value) -> list[Value]:
        """SPLIT of the channels in two."""
        parts = [self.value(*x.shape[:3], x.shape[3] // 2) for _ in range(2)]
        operands = [self.constant(np.array(3, np.int32)), x.index]
        self.net.add_operator("SPLIT", operands, [item.index for item in parts], "SplitOptions", NumSplits=2)
        return parts

    def joined(self, *parts: Value) -> Value:
        channels = sum(part.shape[3] for part in parts)
        result = self.value(*parts[0].shape[:3], channels)
        self.net.add_operator(
            "CONCATENATION", [part.index for part in parts], [result.index], "ConcatenationOptions", Axis=3
        )
        return result

    def reshaped(self, x: Value, *shape: int) -> Value:
        result = self.value(*shape)
        operands = [x.index, self.constant(np.array(shape, np.int32))]
        self.net.add_operator("RESHAPE", operands, [result.index], "ReshapeOptions", NewShape=list(shape))
        return result

    def shuffled(self, x: Value) -> Value:
        """Channels of two groups in turn."""
        _, height, width, channels = x.shape
        groups = self.reshaped(x, 1, height, width, 2, channels // 2)
        turned = self.value(1, height, width, channels // 2, 2)
        order = self.constant(np.array([0, 1, 2, 4, 3], np.int32))
        self.net.add_operator("TRANSPOSE", [groups.index, order], [turned.index], "TransposeOptions")
        return self.reshaped(turned, *x.shape)

    def finish(self, x: Value, result: Value) -> bytes:
        """The file, with a mean over all pixels and a dense layer behind `result`."""
        mean, scores = self.value(1, result.shape[3]), self.value(1, CLASSES)
        axes = self.constant(np.array([1, 2], np.int32))
        self.net.add_operator("MEAN", [result.index, axes], [mean.index], "ReducerOptions")
        weights = self.weights((CLASSES, result.shape[3]), CLASSES, 4)
        self.net.add_operator(
            "FULLY_CONNECTED", [mean.index, *weights], [scores.index], "FullyConnectedOptions"
        )
        return self.net.finish([x.index], [scores.index])


def c2f(size: int, channels: int, dtype: str = "int8") -> bytes:
    """Half of the channels go through two residual blocks; all that is on the way is joined."""
    net = Blocks(dtype)
    x = net.value(1, size, size, channels)
    parts = net.halves(net.convolved(x, channels))
    for _ in range(2):
        inside = net.convolved(net.convolved(parts[-1], channels // 2, 3), channels // 2, 3)
        parts.append(net.added(inside, parts[-1]))
    return net.finish(x, net.convolved(net.joined(*parts), channels))


def shufflenet_unit(size: int, channels: int, dtype: str = "int8") -> bytes:
    """Half of the channels are convolved; then those of both halves take turns."""
    net = Blocks(dtype)
    x = net.value(1, size, size, channels)
    kept, worked = net.halves(net.convolved(x, channels))
    worked = net.convolved(net.depthwise(net.convolved(worked, channels // 2)), channels // 2)
    return net.finish(x, net.convolved(net.shuffled(net.joined(kept, worked)), channels))
