"""The gradient of a layer's input, given that of its sums: the convolution transposed."""

from tinycc.ops.input_gradient.dsp import DspDepthwiseInputGradient, DspPointwiseInputGradient
from tinycc.ops.input_gradient.portable import (
    PortableDepthwiseInputGradient,
    PortableInputGradient,
    PortablePointwiseInputGradient,
)
from tinycc.ops.input_gradient.view import InputGradient, input_gradient
from tinycc.ops.room import Room

__all__ = ["ROOM", "InputGradient", "input_gradient"]

ROOM = Room(
    InputGradient,
    (
        DspPointwiseInputGradient(),
        DspDepthwiseInputGradient(),
        PortablePointwiseInputGradient(),
        PortableDepthwiseInputGradient(),
        PortableInputGradient(),
    ),
)
