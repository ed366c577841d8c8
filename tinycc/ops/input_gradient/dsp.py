"""Gradients of inputs, of integers, with the DSP extension."""

from dataclasses import replace
from typing import ClassVar

from tinycc.ops.dsp import FEATURE
from tinycc.ops.input_gradient.portable import PortablePointwiseInputGradient
from tinycc.ops.input_gradient.view import InputGradient
from tinycc.ops.kernel_call import RowCall


class DspPointwiseInputGradient(PortablePointwiseInputGradient):
    """Layers that take pixels by themselves: two outputs' weights are one word for a tile of pixels."""

    name: ClassVar[str] = FEATURE
    needs: ClassVar[str | None] = FEATURE

    def fits(self, view: InputGradient) -> bool:
        """Whether a pixel's gradient is of one output pixel, and weights serve several."""
        return view.inputs[0].dtype == "int16" and super().fits(view)

    def call(self, view: InputGradient) -> RowCall:
        """All pixels as one row."""
        return replace(
            super().call(view),
            header="pointwise_input_gradient_dsp.h",
            function="tinycc_pointwise_input_gradient_dsp_int16",
            struct="tinycc_pointwise_input_gradient_dsp",
        )

    def overlap(self, view: InputGradient, index: int) -> int | None:
        """Never: elements of the gradient and of the output are of different sizes."""
        return None
