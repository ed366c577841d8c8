"""Updates of weights by gradients of integers, with the DSP extension."""

from dataclasses import replace
from typing import ClassVar

from tinycc.ops.dsp import FEATURE
from tinycc.ops.kernel import Scratch
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.weight_update.portable import PortableWeightUpdate, summed_products, takes_pixels
from tinycc.ops.weight_update.view import WeightUpdate
from tinycc.runtime_c.constants import constant

# Inputs whose weights are updated together, at most.
_INPUTS = constant("TINYCC_DSP_TILE_PIXELS")


class DspPointwiseWeightUpdate(PortableWeightUpdate):
    """Windows of one pixel: two pixels are a word."""

    name: ClassVar[str] = FEATURE
    needs: ClassVar[str | None] = FEATURE

    def fits(self, view: WeightUpdate) -> bool:
        """Integers of layers that take pixels by themselves, of no more than an int32 sums."""
        gradient = view.inputs[0]
        pixels = gradient.height * gradient.width
        return gradient.dtype == "int16" and takes_pixels(view) and pixels <= summed_products(view)

    def call(self, view: WeightUpdate) -> RowCall:
        """Whole tensors at once."""
        return replace(
            super().call(view),
            header="pointwise_weight_update_dsp.h",
            function="tinycc_pointwise_weight_update_dsp_int16",
            struct="tinycc_pointwise_weight_update_dsp",
        )

    def scratch(self, view: WeightUpdate) -> Scratch:
        """A tile of inputs of all pixels, widened, and the gradients of two outputs."""
        gradient = view.inputs[0]
        pairs = -(-min(_INPUTS, super().call(view).shape["trained_inputs"]) // 2)
        return Scratch(16 * (pairs + 1) * -(-gradient.height * gradient.width // 4))
