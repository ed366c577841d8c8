"""Gradients before clamps, of integers, with the DSP extension."""

from dataclasses import replace
from typing import ClassVar

from tinycc.ops.clamp_gradient.portable import PortableIntegerClampGradient
from tinycc.ops.clamp_gradient.view import ClampGradient
from tinycc.ops.dsp import FEATURE
from tinycc.ops.kernel_call import RowCall


class DspClampGradient(PortableIntegerClampGradient):
    """By a mask, a byte of it at a time."""

    name: ClassVar[str] = FEATURE
    needs: ClassVar[str | None] = FEATURE

    def fits(self, view: ClampGradient) -> bool:
        """Whether a mask has whole bytes, and so has each of several channels."""
        channels = super().call(view).shape["channels"]
        elements = view.inputs[0].elements if channels == 1 else channels
        return view.reads_mask and elements % 8 == 0

    def call(self, view: ClampGradient) -> RowCall:
        """All pixels at once."""
        return replace(
            super().call(view),
            header="clamp_gradient_dsp.h",
            function=f"tinycc_mask_gradient_dsp_{view.inputs[0].dtype}",
            struct="tinycc_clamp_gradient_dsp",
        )
