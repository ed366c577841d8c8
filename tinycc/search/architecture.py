"""What a network computes, layer by layer, as a search sees it: geometry, and no weights.

An architecture is a value: equal ones are the same network, so that what is known of one is known of all.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

# Of one image or spectrogram [height, width, channels], or of a vector [channels].
Shape: TypeAlias = tuple[int, ...]
Pair: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Convolution:
    """A convolution with as much padding as keeps the size at a stride of 1.

    kernel, stride: (vertical, horizontal); kernels have odd sides.
    is_clamped: whether ReLU6 follows.
    """

    kernel: Pair
    channels: int
    stride: Pair = (1, 1)
    is_clamped: bool = True

    def output_shape(self, source: Shape) -> Shape:
        """Of the result."""
        return (*_strided(source, self.stride), self.channels)

    def weights(self, channels: int) -> int:
        """How many, where it reads so many channels."""
        return self.kernel[0] * self.kernel[1] * channels * self.channels


@dataclass(frozen=True)
class Depthwise:
    """The same of each channel by itself."""

    kernel: Pair
    stride: Pair = (1, 1)
    is_clamped: bool = True

    def output_shape(self, source: Shape) -> Shape:
        """Of the result."""
        return (*_strided(source, self.stride), source[-1])

    def weights(self, channels: int) -> int:
        """How many, where it reads so many channels."""
        return self.kernel[0] * self.kernel[1] * channels


@dataclass(frozen=True)
class Residual:
    """The sum of the result before it and of an earlier one.

    of: the index of the layer that makes the earlier one, -1 for the input.
    """

    of: int

    def output_shape(self, source: Shape) -> Shape:
        """That of both."""
        return source


@dataclass(frozen=True)
class Mean:
    """Of each channel over all pixels: a vector."""

    def output_shape(self, source: Shape) -> Shape:
        """Channels alone."""
        return source[-1:]


@dataclass(frozen=True)
class Dense:
    """Every output from all elements of a vector."""

    outputs: int

    def output_shape(self, source: Shape) -> Shape:
        """Outputs alone."""
        return (self.outputs,)

    def weights(self, channels: int) -> int:
        """How many, where it reads a vector of so many."""
        return channels * self.outputs


Layer: TypeAlias = Convolution | Depthwise | Residual | Mean | Dense


@dataclass(frozen=True)
class Architecture:
    """A network of one input: each layer reads the result of the one before it.

    input_shape: [height, width, channels].
    """

    input_shape: tuple[int, int, int]
    layers: tuple[Layer, ...]

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Of each layer's result. ValueError where a layer cannot read what it is given."""
        shapes: list[Shape] = []
        for index, layer in enumerate(self.layers):
            source = shapes[-1] if shapes else self.input_shape
            if isinstance(layer, Dense) != (len(source) == 1):
                raise ValueError(f"layer {index}, {layer}, cannot read a tensor of shape {source}")
            if isinstance(layer, Residual):
                other = self.input_shape if layer.of < 0 else shapes[layer.of]
                if other != source:
                    raise ValueError(f"layer {index} adds tensors of shapes {source} and {other}")
            shapes.append(layer.output_shape(source))
        return tuple(shapes)

    @property
    def summary(self) -> str:
        """Size of the input and number of layers, e.g. "32x32x3, 41 layers"."""
        return f"{'x'.join(map(str, self.input_shape))}, {len(self.layers)} layers"

    @property
    def weight_bytes(self) -> int:
        """Of all weights, 1 byte each: the least that constants take."""
        return sum(
            layer.weights(self.source_shape(index)[-1])
            for index, layer in enumerate(self.layers)
            if isinstance(layer, Convolution | Depthwise | Dense)
        )

    def source_shape(self, index: int) -> Shape:
        """Of what layer `index` reads."""
        return self.shapes[index - 1] if index else self.input_shape


def _strided(source: Shape, stride: Pair) -> Pair:
    return -(-source[0] // stride[0]), -(-source[1] // stride[1])
