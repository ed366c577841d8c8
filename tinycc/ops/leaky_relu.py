"""Rectifier with one slope, on int16; on int8 it is a table."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.patterns import dequantized, quantized


@dataclass(frozen=True, eq=False)
class LeakyReLU(Operator):
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

    def overlap_distance(self, index: int) -> int | None:
        """In place."""
        return 0

    def kernel(self) -> KernelCall:
        """One row of single elements; both factors are formed in double, the slope is a float32."""
        source, output = self.inputs[0], self.outputs[0]
        scale_in, scale_out = source.real_scale, output.real_scale
        multiplier, shift = quantize_multiplier(scale_in / scale_out)
        slope_multiplier, slope_shift = quantize_multiplier(
            scale_in * float(np.float32(self.slope)) / scale_out
        )
        return KernelCall(
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
            windows=(RowWindow.whole(source),),
            rows=1,
            is_flat=True,
            columns=output.elements,
            row_elements=output.elements,
        )

    def describe(self) -> str:
        """The slope."""
        return f"slope {self.slope:g}"
