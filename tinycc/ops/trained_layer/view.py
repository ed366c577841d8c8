"""What a layer with weights is whose weights, or bias, a training step updates: how it is written and read.

One geometry stands for convolutions, depthwise ones (as many groups as input channels) and dense layers (a
window of one pixel), so that a rule for gradients, and a kernel for an update, is written once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import INT8, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.fixed_point import quantize_multipliers
from tinycc.ops.tensor import Tensor
from tinycc.ops.window import Window


@dataclass(frozen=True, eq=False)
class TrainedLayer(Operator):
    """output = clamp(zero point + requantize(bias + sum((input - zero point) x weights))), all of int8.

    inputs: the source [..., height, width, channels]; weights, int8 [outputs, kernel height, kernel width,
        input channels / groups]; bias, int32 [outputs]. The last two are operands, as a training step changes
        them, or constants. The bias does not take in the input's zero point, or an update of weights would
        change it.
    multipliers: real requantization factor of each output channel, float64.
    output_range: clamp of the result.
    """

    window: Window
    groups: int
    multipliers: np.ndarray
    output_range: tuple[int, int]

    kind: ClassVar[str] = "trained_layer"
    element_types: ClassVar[ElementTypes] = INT8
    is_spatial: ClassVar[bool] = True

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """None: `mark_trainable` makes them of other layers."""
        return []

    @classmethod
    def from_composite(cls, composite: Composite) -> "TrainedLayer":
        """Read what `trained_layer` wrote."""
        call = composite.call("relax.nn.conv2d")
        dequantized = composite.calls("relax.dequantize")
        source, weights, bias = map(composite.tensor, dequantized)
        output = composite.result()
        factors = np.float64(source.real_scale) * np.asarray(weights.scale, np.float64) / output.real_scale
        low, high = composite.output_range()
        return cls(
            (source, weights, bias),
            (output,),
            window=Window.of_call(call, (weights.shape[1], weights.shape[2])),
            groups=int(call.attrs.groups),
            multipliers=np.broadcast_to(factors, (output.channels,)),
            output_range=(int(low), int(high)),
        )

    @property
    def macs(self) -> int:
        """Every tap of every output element, padding included."""
        weights = self.inputs[1]
        return self.outputs[0].elements * weights.elements // weights.shape[0]

    @property
    def fixed_point(self) -> tuple[np.ndarray, np.ndarray]:
        """Multiplier, int32, and shift, int8, of each output channel."""
        return quantize_multipliers(self.multipliers)

    def describe(self) -> str:
        """Kernel, stride, dilation and groups."""
        return self.window.describe() + (f" groups {self.groups}" if self.groups > 1 else "")


def trained_layer(
    operands: Sequence[relax.Expr],
    output: Tensor,
    *,
    source: Tensor,
    window: Window,
    groups: int,
    weight_scales: np.ndarray,
    bounds: tuple[float | None, float | None],
) -> relax.Function:
    """The composite function of a layer.

    operands: source, weights and bias as `TrainedLayer.inputs` has them, the last two variables or constants.
    source, output: their shapes and quantization. weight_scales: float32 [outputs].
    bounds: of the activation, real numbers; None where there is none.
    """
    bias_scales = (np.float32(source.real_scale) * weight_scales).astype(np.float32)
    padding = [*window.padding, *_padding_behind(window, source, output)]

    def body(emit: Emit, stored: relax.Expr, weights: relax.Expr, bias: relax.Expr) -> relax.Expr:
        real = emit(_dequantize(stored, source.real_scale, source.zero_point))
        kernel = emit(_dequantize(weights, weight_scales, 0))
        real_bias = emit(_dequantize(bias, bias_scales, 0))
        image = emit(relax.op.reshape(real, (1, source.height, source.width, source.channels)))
        sums = emit(
            relax.op.nn.conv2d(
                image,
                kernel,
                strides=list(window.stride),
                padding=padding,
                dilation=list(window.dilation),
                groups=groups,
                data_layout="NHWC",
                kernel_layout="OHWI",
                out_layout="NHWC",
            )
        )
        value = emit(relax.op.add(emit(relax.op.reshape(sums, output.shape)), real_bias))
        scale, zero_point = (
            relax.const(output.real_scale, "float32"),
            relax.const(output.zero_point, "int32"),
        )
        return relax.op.quantize(_activated(emit, value, bounds), scale, zero_point, out_dtype="int8")

    named = dict(zip(("source", "weights", "bias"), operands, strict=True))
    return write_composite(TrainedLayer.kind, named, body)


def _padding_behind(window: Window, source: Tensor, output: Tensor) -> list[int]:
    """Rows below and columns to the right that windows reach, beside those of the input."""
    found = []
    sizes = (source.height, output.height), (source.width, output.width)
    for axis, (size, count) in enumerate(sizes):
        reach = (count - 1) * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis] + 1
        found.append(max(0, reach - window.padding[axis] - size))
    return found


def _dequantize(stored: relax.Expr, scale: float | np.ndarray, zero_point: int) -> relax.Expr:
    scales = relax.const(np.asarray(scale, np.float32), "float32")
    zero_points = relax.const(np.full(np.shape(scale), zero_point, np.int32), "int32")
    return relax.op.dequantize(stored, scales, zero_points, axis=0, out_dtype="float32")


def _activated(emit: Emit, value: relax.Var, bounds: tuple[float | None, float | None]) -> relax.Var:
    low, high = bounds
    if bounds == (0.0, None):
        return emit(relax.op.nn.relu(value))
    if bounds == (None, None):
        return value
    return emit(relax.op.clip(value, -np.inf if low is None else low, np.inf if high is None else high))
