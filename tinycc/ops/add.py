"""Elementwise addition and subtraction."""

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
from tinycc.ops.fixed_point import SUM_LEFT_SHIFT, sum_multipliers
from tinycc.ops.lookup_table import sum_or_difference
from tinycc.ops.patterns import activated, dequantized, quantized


@dataclass(frozen=True, eq=False)
class Add(Elementwise):
    """a + sign * b on int8 or int16 tensors, each with its own scale.

    sign: 1 or -1.
    """

    sign: int
    kind: ClassVar[str] = "add"
    header: ClassVar[str] = "add.h"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(dequantize(a) + dequantize(b))), and the same with a difference."""
        return [
            FusionPattern("tinycc.add", quantized(activated(is_op(name)(dequantized(), dequantized()))))
            for name in ("relax.add", "relax.subtract")
        ]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Add":
        """Read the operands and their scales."""
        sign = 1 if composite.has("relax.add") else -1
        return cls(**cls.fields(composite, "relax.add" if sign == 1 else "relax.subtract"), sign=sign)

    @property
    def combined(self) -> Callable[[int, int], int]:
        """Sum or difference."""
        (a, b), output = self.inputs, self.outputs[0]
        return sum_or_difference((a.real_scale, b.real_scale, output.real_scale), self.sign)

    def has_variant(self, feature: str) -> bool:
        """int8. Helium: a result whose scale is not tiny; DSP extension: nothing is shifted to the left."""
        if self.outputs[0].dtype != "int8":
            return False
        if feature == helium.FEATURE:
            return self._multipliers["output"][1] < 0
        fits = all(shift <= 0 and multiplier for multiplier, shift in self._multipliers.values())
        return feature == dsp.FEATURE and fits

    @cached_property
    def _multipliers(self) -> dict[str, tuple[int, int]]:
        """Multiplier and shift of both inputs and the output; the common scale is twice the larger one."""
        (a, b), output = self.inputs, self.outputs[0]
        scales = (a.real_scale, b.real_scale, output.real_scale)
        return sum_multipliers(scales, SUM_LEFT_SHIFT[output.dtype])

    def _helium_kernel(self) -> KernelCall:
        """Half the common scale is one of an input: its values are exact on it."""
        multipliers = self._multipliers
        is_b = self.inputs[1].real_scale > self.inputs[0].real_scale
        exact, other = reversed(self.inputs) if is_b else self.inputs
        left_shift = SUM_LEFT_SHIFT["int8"] - 16
        exact_factor = 2 ** (left_shift - 1) * (self.sign if is_b else 1)
        multiplier, shift = multipliers["a" if is_b else "b"]
        other_factor = 2**left_shift
        if shift == 0:
            # A half, too: the same with a shift to the right.
            other_factor, shift = 2 * other_factor, -1
        data: dict[str, int | float | np.ndarray] = {
            "exact.factor": exact_factor,
            "exact.offset": -exact_factor * exact.zero_point,
            "other.factor": other_factor,
            "other.offset": -other_factor * other.zero_point,
            "exact_is_b": int(is_b),
            "other_multiplier": multiplier,
            "other_shift": shift,
            "other_sign": 1 if is_b else self.sign,
            "multiplier": multipliers["output"][0],
            "shift": multipliers["output"][1],
            **helium.range_fields(self),
        }
        call = self.elementwise_call("tinycc_add_helium", "tinycc_add_helium", data)
        shape = {**call.shape, "rectified": int(helium.is_rectified(self))}
        return replace(call, header="add_helium.h", shape=shape)

    def _dsp_kernel(self) -> KernelCall:
        """The input of the larger scale is halved, the other rescaled."""
        a, b = self.inputs
        output = self.outputs[0]
        coarse_is_b = b.real_scale > a.real_scale
        coarse, fine = (b, a) if coarse_is_b else (a, b)
        data = {"coarse_zero_point": coarse.zero_point, "fine_zero_point": fine.zero_point}
        for name, letter in (("fine", "a" if coarse_is_b else "b"), ("output", "output")):
            multiplier, shift = self._multipliers[letter]
            data[f"{name}_multiplier"] = dsp.stored_multiplier(multiplier)
            data[f"{name}_exponent"] = -shift
        data |= {
            "output_zero_point": output.zero_point,
            "output_min": self.output_range[0],
            "output_max": self.output_range[1],
        }
        mode = dsp.mode_of(self.output_range, output.zero_point, data["output_exponent"])
        call = self.elementwise_call("tinycc_add_dsp", "tinycc_add_dsp", dict(data))
        shape = {**call.shape, "coarse_is_b": int(coarse_is_b), "sign": self.sign, "mode": mode}
        return replace(call, header="add_dsp.h", shape=shape)

    def kernel(self) -> KernelCall:
        """Both inputs are brought to twice the larger of their scales, as TFLite does."""
        if self.variant == helium.FEATURE:
            return self._helium_kernel()
        if self.variant == dsp.FEATURE:
            return self._dsp_kernel()
        a, b = self.inputs
        output = self.outputs[0]
        data: dict[str, int] = {
            "left_shift": SUM_LEFT_SHIFT[output.dtype],
            "sign": self.sign,
            "a_zero_point": a.zero_point,
            "b_zero_point": b.zero_point,
            "output_zero_point": output.zero_point,
            "output_min": self.output_range[0],
            "output_max": self.output_range[1],
        }
        for name, (multiplier, shift) in self._multipliers.items():
            data |= {f"{name}_multiplier": multiplier, f"{name}_shift": shift}
        return self.elementwise_call("tinycc_add", "tinycc_add", dict(data))

    def describe(self) -> str:
        """Subtraction is told apart."""
        return "" if self.sign == 1 else "subtract"
