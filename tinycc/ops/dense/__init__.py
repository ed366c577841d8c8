"""Fully connected layer with bias, activation and requantization."""

from tinycc.ops.dense.dsp import DspDense, DspDenseParts, NarrowDspDense, WideDspDense, WideDspDenseParts
from tinycc.ops.dense.float32 import FloatDense
from tinycc.ops.dense.helium import HeliumDense, NarrowHeliumDense
from tinycc.ops.dense.portable import NarrowPortableDense, PortableDense
from tinycc.ops.dense.view import Dense
from tinycc.ops.room import Room

ROOM = Room(
    Dense,
    (
        NarrowHeliumDense(),
        HeliumDense(),
        WideDspDense(),
        WideDspDenseParts(),
        NarrowDspDense(),
        DspDense(),
        DspDenseParts(),
        NarrowPortableDense(),
        PortableDense(),
    ),
    float_kernels=(FloatDense(),),
)
