"""Masks of clamps with the DSP extension."""

from typing import ClassVar

from tinycc.ops.clamp_mask.portable import PortableClampMask, row_call
from tinycc.ops.clamp_mask.view import ClampMask
from tinycc.ops.dsp import FEATURE
from tinycc.ops.kernel_call import RowCall


class DspClampMask(PortableClampMask):
    """Four elements at a time."""

    name: ClassVar[str] = FEATURE
    needs: ClassVar[str | None] = FEATURE

    def fits(self, view: ClampMask) -> bool:
        """Whether anything can lie between the bounds."""
        return view.high - view.low > 1

    def call(self, view: ClampMask) -> RowCall:
        """All elements at once, a byte of the mask after the other."""
        return row_call(view, "_dsp")
