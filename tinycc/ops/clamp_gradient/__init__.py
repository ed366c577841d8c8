"""The gradient before a result was rescaled and clamped, given that of the result."""

from tinycc.ops.clamp_gradient.dsp import DspClampGradient
from tinycc.ops.clamp_gradient.portable import PortableClampGradient, PortableIntegerClampGradient
from tinycc.ops.clamp_gradient.view import ClampGradient, clamp_gradient, with_mask
from tinycc.ops.room import Room

__all__ = ["ROOM", "ClampGradient", "clamp_gradient", "with_mask"]

ROOM = Room(
    ClampGradient,
    (DspClampGradient(), PortableIntegerClampGradient()),
    float_kernels=(PortableClampGradient(),),
)
