"""Bilinear resizing."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops.base import INT8, ElementTypes, KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.patterns import dequantized, quantized

# coordinate transformation of Relax -> (align corners, half-pixel centres) of TFLite
_MODES = {"asymmetric": (False, False), "half_pixel": (False, True), "align_corners": (True, False)}


def _is_bilinear(context: PatternCheckContext) -> bool:
    resize, source, result = (context.annotated_expr[name] for name in ("resize", "source", "result"))
    same_scale = all(
        bool(tvm_adapter.constant_value(one) == tvm_adapter.constant_value(other))
        for one, other in zip(source.args[1:3], result.args[1:3], strict=True)
    )
    attrs = resize.attrs
    known = str(attrs.coordinate_transformation_mode) in _MODES
    return same_scale and known and attrs.method == "linear" and attrs.layout == "NHWC"


def _positions(size: int, outputs: int, mode: tuple[bool, bool]) -> np.ndarray:
    """Lower neighbour, upper neighbour and weight of the upper in 1/1024, int16 [outputs, 3]."""
    align_corners, half_pixel = mode
    if align_corners and outputs > 1:
        step = (1024 * (size - 1) + (outputs - 1) // 2) // (outputs - 1)
    else:
        step = (1024 * size + outputs // 2) // outputs
    position = np.arange(outputs) * step + (step // 2 - 512 if half_pixel else 0)
    lower = np.maximum(np.trunc(position / 1024).astype(int), 0)
    upper = np.minimum(np.trunc((position + 1023) / 1024).astype(int), size - 1)
    return np.stack([lower, upper, position - 1024 * lower], axis=1).astype(np.int16)


@dataclass(frozen=True, eq=False)
class ResizeBilinear(Operator):
    """NHWC int8 linear interpolation, positions in 1/1024 pixels, input and output of one scale.

    mode: (align corners, half-pixel centres).
    """

    mode: tuple[bool, bool]

    kind: ClassVar[str] = "resize_bilinear"
    element_types: ClassVar[ElementTypes] = INT8

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(image.resize2d(dequantize(x), method="linear"))."""
        source = dequantized()
        resize = is_op("relax.image.resize2d")(source, wildcard())
        result = quantized(resize)
        annotations = {"source": source, "resize": resize, "result": result}
        return [FusionPattern("tinycc.resize_bilinear", result, annotations, _is_bilinear)]

    @classmethod
    def from_composite(cls, composite: Composite) -> "ResizeBilinear":
        """Read the coordinate transformation."""
        call = composite.call("relax.image.resize2d")
        source, output = composite.tensor(call.args[0]), composite.result()
        if max(source.height, source.width, output.height, output.width) >= 2**15:
            raise ValueError("more rows or columns than the tables can hold")
        return cls((source,), (output,), _MODES[str(call.attrs.coordinate_transformation_mode)])

    @property
    def is_channelwise(self) -> bool:
        """Always."""
        return True

    def kernel(self) -> KernelCall:
        """The whole tensor at once; positions are tables."""
        source, output = self.inputs[0], self.outputs[0]
        return KernelCall(
            header="resize_bilinear.h",
            function="tinycc_resize_bilinear_int8",
            struct="tinycc_resize_bilinear",
            shape={
                "input_width": source.width,
                "output_width": output.width,
                "channels": source.channels,
            },
            data={
                "rows": _positions(source.height, output.height, self.mode),
                "columns": _positions(source.width, output.width, self.mode),
            },
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=output.height,
            row_elements=output.elements,
        )
