"""Updates of weights on any core."""

import math
from dataclasses import replace

from tinycc.ops.gradient_integers import header_ending
from tinycc.ops.kernel import Kernel, Scratch
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.row_window import RowWindow
from tinycc.ops.spread_window import PIXEL
from tinycc.ops.weight_update.view import WeightSums, WeightUpdate
from tinycc.runtime_c.constants import constant

_TILE, _REACH = constant("TINYCC_DEPTHWISE_UPDATE_TILE"), constant("TINYCC_DEPTHWISE_UPDATE_REACH")


class PortableDepthwiseWeightUpdate(Kernel[WeightUpdate]):
    """Layers whose channels do not mix: channel by channel, a row of the kernel after the other."""

    def fits(self, view: WeightUpdate) -> bool:
        """Whether each channel has an output, and a row of the kernel finds room for all of its columns."""
        window, weights = view.window, view.inputs[4]
        span = (_TILE - 1) * window.stride[1] + (window.kernel[1] - 1) * window.dilation[1] + 1
        is_depthwise = view.groups == weights.shape[0] and weights.channels == 1
        is_real = view.inputs[0].dtype == "float32"
        return is_real and is_depthwise and window.kernel[1] <= _TILE and span <= _REACH

    def call(self, view: WeightUpdate) -> RowCall:
        """Whole tensors at once."""
        return _whole_call(view, "depthwise_weight_update")

    def overlap(self, view: WeightUpdate, index: int) -> int | None:
        """In place of the weights."""
        return 0 if index == 4 else None


class PortablePointwiseWeightUpdate(Kernel[WeightUpdate]):
    """Windows of one pixel: inputs are made real numbers once for all outputs."""

    def fits(self, view: WeightUpdate) -> bool:
        """Whether a layer takes pixels by themselves, of which there are several."""
        return (
            view.inputs[0].dtype == "float32" and takes_pixels(view) and view.inputs[0].shape[:3] != (1, 1, 1)
        )

    def call(self, view: WeightUpdate) -> RowCall:
        """Whole tensors at once."""
        return replace(_whole_call(view, "pointwise_weight_update"), struct="tinycc_pointwise_weight_update")

    def scratch(self, view: WeightUpdate) -> Scratch:
        """Four inputs of all pixels."""
        gradient = view.inputs[0]
        return Scratch(16 * gradient.height * gradient.width)

    def overlap(self, view: WeightUpdate, index: int) -> int | None:
        """In place of the weights."""
        return 0 if index == 4 else None


class PortableWeightUpdate(Kernel[WeightUpdate]):
    """Blocks of outputs and inputs, whose sums stay in registers."""

    def call(self, view: WeightUpdate) -> RowCall:
        """Whole tensors at once."""
        return _whole_call(view, "weight_update")

    def overlap(self, view: WeightUpdate, index: int) -> int | None:
        """In place of the weights."""
        return 0 if index == 4 else None


def takes_pixels(view: WeightSums) -> bool:
    """Whether an output pixel of the layer is of one input pixel, in the same place, and of all of it."""
    gradient, source = view.inputs[:2]
    return view.window == PIXEL and view.groups == 1 and gradient.shape[1:3] == source.shape[1:3]


def summed_products(view: WeightSums) -> int:
    """How many products of integers an int32 holds the sum of."""
    return (2**31 - 1) // (255 << view.bits)


def geometry(view: WeightSums) -> dict[str, int]:
    """What kernels are told of the layer; pixels that are taken by themselves are one row."""
    gradient, source, _, _, weights = view.inputs[:5]
    groups, inputs = view.trained
    window = view.window
    sizes = gradient.shape[1:3], source.shape[1:3]
    if window == PIXEL and sizes[0] == sizes[1]:
        sizes = ((1, math.prod(sizes[0])),) * 2
    return {
        "gradient_height": sizes[0][0],
        "gradient_width": sizes[0][1],
        "gradient_channels": gradient.channels,
        "source_height": sizes[1][0],
        "source_width": sizes[1][1],
        "source_channels": source.channels,
        "inputs": weights.channels,
        "trained_inputs": inputs,
        "trained_groups": groups,
        "group_outputs": gradient.channels // view.groups,
        "kernel_height": window.kernel[0],
        "kernel_width": window.kernel[1],
        "stride_height": window.stride[0],
        "stride_width": window.stride[1],
        "dilation_height": window.dilation[0],
        "dilation_width": window.dilation[1],
        "pad_top": window.padding[0],
        "pad_left": window.padding[1],
    }


def _whole_call(view: WeightUpdate, name: str) -> RowCall:
    """On whole tensors."""
    gradient, weights = view.inputs[0], view.inputs[4]
    is_real, ending = gradient.dtype == "float32", header_ending(gradient)
    return RowCall(
        header=f"{name}{ending}.h",
        function=f"tinycc_{name}_int8" if is_real else f"tinycc_{name}_int16",
        struct=f"tinycc_weight_update{ending}",
        shape={
            **geometry(view),
            "is_stochastic": view.rounding.is_stochastic,
            "run": summed_products(view),
        },
        data={
            "scaling": view.scaling,
            "zero_point": view.zero_point,
            "seed": view.rounding.attributes["seed"],
            "tensor": view.rounding.tensor,
            "low": view.low,
            **({} if is_real else {"offset": view.offset}),
        },
        windows=tuple(map(RowWindow.whole, view.inputs)),
        rows=1,
        columns=gradient.channels,
        row_elements=weights.elements,
        pixel_columns=0,
    )
