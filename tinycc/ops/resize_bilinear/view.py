"""What bilinear resizing is, how it is found and read."""

from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc.ops.base import INT8, ElementTypes
from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.composite import Composite
from tinycc.ops.patterns import dequantized, quantized
from tinycc.ops.resize_positions import COORDINATES


def _is_bilinear(context: PatternCheckContext) -> bool:
    attrs = context.annotated_expr["resize"].attrs
    known = str(attrs.coordinate_transformation_mode) in COORDINATES
    return known and attrs.method == "linear" and attrs.layout == "NHWC"


@dataclass(frozen=True, eq=False)
class ResizeBilinear(ChannelDependence):
    """NHWC linear interpolation; of int8 positions are in 1/1024 pixels.

    coordinates: as Relax and ONNX name them.
    is_exact: whether each position is rounded for itself, not as a multiple of a step as TFLite has it.
    """

    coordinates: str
    is_exact: bool

    kind: ClassVar[str] = "resize_bilinear"
    element_types: ClassVar[ElementTypes] = INT8
    is_spatial: ClassVar[bool] = True

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(image.resize2d(dequantize(x), method="linear"))."""
        resize = is_op("relax.image.resize2d")(dequantized(), wildcard())
        return [FusionPattern("tinycc.resize_bilinear", quantized(resize), {"resize": resize}, _is_bilinear)]

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """The same of real numbers."""
        resize = is_op("relax.image.resize2d")(wildcard().has_dtype("float32"), wildcard())
        return [FusionPattern("tinycc.resize_bilinear", resize, {"resize": resize}, _is_bilinear)]

    @classmethod
    def from_composite(cls, composite: Composite) -> "ResizeBilinear":
        """Read the coordinates; the rounding of positions is TFLite's where the one of Relax is not empty."""
        call = composite.call("relax.image.resize2d")
        source, output = composite.tensor(call.args[0]), composite.result()
        if max(source.height, source.width, output.height, output.width) >= 2**15:
            raise ValueError("more rows or columns than the tables can hold")
        coordinates = str(call.attrs.coordinate_transformation_mode)
        is_exact = coordinates == "pytorch_half_pixel" or not str(call.attrs.rounding_method)
        return cls((source,), (output,), coordinates, is_exact)

    @property
    def is_channelwise(self) -> bool:
        """Always."""
        return True
