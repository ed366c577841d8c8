"""Rectifier with one slope, on int16; on int8 it is a table."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.patterns import dequantized, quantized
from tinycc.ops.room import Room


@dataclass(frozen=True, eq=False)
class LeakyReLU(ChannelDependence):
    """x where it is positive, slope * x below, on int16."""

    slope: float

    kind: ClassVar[str] = "leaky_relu"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(leakyrelu(dequantize(x)))."""
        rectified = is_op("relax.nn.leakyrelu")(dequantized(wildcard().has_dtype("int16")))
        return [FusionPattern("tinycc.leaky_relu", quantized(rectified).has_dtype("int16"))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "LeakyReLU":
        """Read the slope."""
        call = composite.call("relax.nn.leakyrelu")
        return cls((composite.tensor(call.args[0]),), (composite.result(),), float(call.attrs.alpha))

    @property
    def is_channelwise(self) -> bool:
        """Element by element."""
        return True

    def describe(self) -> str:
        """The slope."""
        return f"slope {self.slope:g}"


class PortableLeakyReLU(Kernel[LeakyReLU]):
    """On any core."""

    def call(self, view: LeakyReLU) -> FlatCall:
        """One row of single elements; both factors are formed in double, the slope is a float32."""
        source, output = view.inputs[0], view.outputs[0]
        scale_in, scale_out = source.real_scale, output.real_scale
        multiplier, shift = quantize_multiplier(scale_in / scale_out)
        slope_multiplier, slope_shift = quantize_multiplier(
            scale_in * float(np.float32(view.slope)) / scale_out
        )
        return FlatCall(
            header="leaky_relu.h",
            function="tinycc_leaky_relu_int16",
            struct="tinycc_leaky_relu",
            shape={"channels": 1},
            data={
                "input_zero_point": source.zero_point,
                "multiplier": multiplier,
                "shift": shift,
                "slope_multiplier": slope_multiplier,
                "slope_shift": slope_shift,
                "output_zero_point": output.zero_point,
            },
            inputs=(source.elements,),
            columns=output.elements,
            elements=output.elements,
        )

    def overlap(self, view: LeakyReLU, index: int) -> int:
        """In place."""
        return 0


ROOM = Room(LeakyReLU, (PortableLeakyReLU(),))
