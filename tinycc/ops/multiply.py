"""Elementwise multiplication."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern

from tinycc.ops import dsp, helium
from tinycc.ops.base import KernelCall
from tinycc.ops.composite import Composite
from tinycc.ops.elementwise import Elementwise
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.lookup_table import product
from tinycc.ops.patterns import activated, dequantized, quantized


@dataclass(frozen=True, eq=False)
class Multiply(Elementwise):
    """a * b on int8 or int16 tensors, each with its own scale."""

    kind: ClassVar[str] = "multiply"
    header: ClassVar[str] = "multiply.h"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(dequantize(a) * dequantize(b)))."""
        product = is_op("relax.multiply")(dequantized(), dequantized())
        return [FusionPattern("tinycc.multiply", quantized(activated(product)))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Multiply":
        """Read the operands and their scales."""
        return cls(**cls.fields(composite, "relax.multiply"))

    @property
    def combined(self) -> Callable[[int, int], int]:
        """Product."""
        (a, b), output = self.inputs, self.outputs[0]
        return product((a.real_scale, b.real_scale, output.real_scale))

    def has_variant(self, feature: str) -> bool:
        """int8 products that are scaled down: for Helium to less than a half."""
        multiplier, shift = self._multiplier
        fits = self.outputs[0].dtype == "int8" and multiplier > 0
        return fits and ((feature == helium.FEATURE and shift < 0) or (feature == dsp.FEATURE and shift <= 0))

    @cached_property
    def _multiplier(self) -> tuple[int, int]:
        """Multiplier and shift of products."""
        a, b = self.inputs
        return quantize_multiplier(a.real_scale * b.real_scale / self.outputs[0].real_scale)

    def _helium_kernel(self) -> KernelCall:
        multiplier, shift = self._multiplier
        data: dict[str, int | float | np.ndarray] = {
            "multiplier": multiplier,
            "shift": shift,
            "a_zero_point": self.inputs[0].zero_point,
            "b_zero_point": self.inputs[1].zero_point,
            **helium.range_fields(self),
        }
        call = self.elementwise_call("tinycc_multiply_helium", "tinycc_multiply_helium", data)
        shape = {**call.shape, "mode": int(helium.is_rectified(self))}
        return replace(call, header="multiply_helium.h", shape=shape)

    def _dsp_kernel(self) -> KernelCall:
        multiplier, shift = self._multiplier
        zero_point = self.outputs[0].zero_point
        data: dict[str, int | float | np.ndarray] = {
            "a_zero_point": self.inputs[0].zero_point,
            "b_zero_point": self.inputs[1].zero_point,
            "multiplier": dsp.stored_multiplier(multiplier),
            "exponent": -shift,
            "output_zero_point": zero_point,
            "output_min": self.output_range[0],
            "output_max": self.output_range[1],
        }
        call = self.elementwise_call("tinycc_multiply_dsp", "tinycc_multiply_dsp", data)
        shape = {**call.shape, "mode": dsp.mode_of(self.output_range, zero_point, -shift)}
        return replace(call, header="multiply_dsp.h", shape=shape)

    def kernel(self) -> KernelCall:
        """One requantization of each product."""
        if self.variant == helium.FEATURE:
            return self._helium_kernel()
        if self.variant == dsp.FEATURE:
            return self._dsp_kernel()
        a, b = self.inputs
        output = self.outputs[0]
        multiplier, shift = self._multiplier
        return self.elementwise_call(
            "tinycc_multiply",
            "tinycc_multiply",
            {
                "a_zero_point": a.zero_point,
                "b_zero_point": b.zero_point,
                "output_zero_point": output.zero_point,
                "multiplier": multiplier,
                "shift": shift,
                "output_min": self.output_range[0],
                "output_max": self.output_range[1],
            },
        )
