"""Gradients before clamps on any core."""

from typing import ClassVar

from tinycc.ops.clamp_gradient.view import ClampGradient
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall, RowCall
from tinycc.ops.row_window import RowWindow


class PortableClampGradient(Kernel[ClampGradient]):
    """Of real numbers."""

    def call(self, view: ClampGradient) -> FlatCall | RowCall:
        """Pixel by pixel; with a mask, whose bytes go over the ends of pixels, all of them at once."""
        gradient, result = view.inputs
        channels, elements = len(view.factors), gradient.elements
        if not view.reads_mask:
            return FlatCall(
                header="clamp_gradient.h",
                function="tinycc_clamp_gradient_float32",
                struct="tinycc_clamp_gradient",
                shape={"channels": channels},
                data={"factors": view.factors, "low": view.low, "high": view.high},
                inputs=(elements, elements),
                columns=elements // channels,
                elements=elements,
            )
        return RowCall(
            header="clamp_gradient.h",
            function="tinycc_mask_gradient_float32",
            struct="tinycc_clamp_gradient",
            shape={"channels": channels},
            data={"factors": view.factors, "low": view.low, "high": view.high},
            windows=(RowWindow.whole(gradient), RowWindow.whole(result)),
            rows=1,
            columns=elements // channels,
            row_elements=elements,
        )

    def overlap(self, view: ClampGradient, index: int) -> int | None:
        """In place of the gradient."""
        return 0 if index == 0 else None


class PortableIntegerClampGradient(Kernel[ClampGradient]):
    """Of integers."""

    accesses_bytes: ClassVar[bool] = True
    overlaps_exactly: ClassVar[bool] = True

    def call(self, view: ClampGradient) -> RowCall:
        """All pixels at once."""
        gradient = view.inputs[0]
        is_of_pixels = view.factors.ndim > 1
        channels = gradient.elements // len(view.factors) if is_of_pixels else len(view.factors)
        return RowCall(
            header="clamp_gradient_int16.h",
            function=f"tinycc_{'mask' if view.reads_mask else 'clamp'}_gradient_{gradient.dtype}",
            struct="tinycc_clamp_gradient_int16",
            shape={
                "channels": channels,
                "pixel_step": int(is_of_pixels),
                "channel_step": int(not is_of_pixels),
                "bits": view.bits,
            },
            data={"factors": view.factors.reshape(-1), "low": view.low, "high": view.high},
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=gradient.elements // channels,
            row_elements=gradient.elements,
        )

    def overlap(self, view: ClampGradient, index: int) -> int | None:
        """In place of the gradient's end, as its elements are as large or larger."""
        return view.outputs[0].bytes - view.inputs[0].bytes if index == 0 else None
