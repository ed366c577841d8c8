"""Of a result, only what its gradient asks for: one bit for each element, whether it lay between bounds."""

from tinycc.ops.clamp_mask.dsp import DspClampMask
from tinycc.ops.clamp_mask.portable import PortableClampMask
from tinycc.ops.clamp_mask.view import ClampMask, clamp_mask, inside_of, unpacked
from tinycc.ops.room import Room

__all__ = ["ROOM", "ClampMask", "clamp_mask", "inside_of", "unpacked"]

ROOM = Room(ClampMask, (DspClampMask(), PortableClampMask()))
