"""Rectifier with a slope for each channel."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.errors import UnsupportedError
from tinycc.ops.base import INT8, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.patterns import dequantized, quantized
from tinycc.ops.room import Room
from tinycc.ops.tensor import Tensor


@dataclass(frozen=True, eq=False)
class PReLU(Operator):
    """x where it is positive, slope * x below, on int8 [..., channels].

    slopes: int8 or int16 [channels], with a scale and zero point of its own.
    """

    slopes: Tensor

    kind: ClassVar[str] = "prelu"
    element_types: ClassVar[ElementTypes] = INT8

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(prelu(dequantize(x), dequantize(slopes)))."""
        source = dequantized(wildcard().has_dtype("int8"))
        rectified = is_op("relax.nn.prelu")(source, dequantized(is_const()))
        return [FusionPattern("tinycc.prelu", quantized(rectified).has_dtype("int8"))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "PReLU":
        """Read the slopes; UnsupportedError unless there is one, or one for each index of the last axis."""
        call = composite.call("relax.nn.prelu")
        source, slopes = composite.tensor(call.args[0]), composite.tensor(call.args[1])
        assert slopes.value is not None
        is_last_axis = int(call.attrs.axis) in (-1, len(source.shape) - 1)
        if slopes.elements != 1 and not (is_last_axis and slopes.elements == source.channels):
            raise UnsupportedError(
                f"PReLU of {source} has slopes of shape {slopes.shape}, one for each channel is supported"
            )
        vector = np.broadcast_to(slopes.value.reshape(-1), (source.channels,))
        slopes = Tensor(vector.shape, slopes.dtype, slopes.scale, slopes.zero_point, value=vector)
        return cls((source,), (composite.result(),), slopes)


class PortablePReLU(Kernel[PReLU]):
    """On any core."""

    def call(self, view: PReLU) -> FlatCall:
        """One row of pixels."""
        source, output, slopes = view.inputs[0], view.outputs[0], view.slopes
        assert slopes.value is not None
        multiplier, shift = quantize_multiplier(source.real_scale / output.real_scale)
        slope_multiplier, slope_shift = quantize_multiplier(
            source.real_scale * slopes.real_scale / output.real_scale
        )
        return FlatCall(
            header="prelu.h",
            function="tinycc_prelu_int8",
            struct="tinycc_prelu",
            shape={"channels": source.channels},
            data={
                "slopes": slopes.value.astype(np.int16),
                "slope_zero_point": slopes.zero_point,
                "input_zero_point": source.zero_point,
                "multiplier": multiplier,
                "shift": shift,
                "slope_multiplier": slope_multiplier,
                "slope_shift": slope_shift,
                "output_zero_point": output.zero_point,
            },
            inputs=(source.elements,),
            columns=source.elements // source.channels,
            elements=output.elements,
        )

    def overlap(self, view: PReLU, index: int) -> int:
        """In place."""
        return 0


ROOM = Room(PReLU, (PortablePReLU(),))
