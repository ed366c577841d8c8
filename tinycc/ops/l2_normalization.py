"""Vectors divided by their length."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops.base import INT8, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import quantize_multiplier
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.patterns import dequantized, quantized
from tinycc.ops.room import Room
from tinycc.runtime_c.constants import constant

_MOST_CHANNELS = constant("TINYCC_L2_NORMALIZATION_MOST_CHANNELS")
_TFLITE_BITS = constant("TINYCC_L2_NORMALIZATION_TFLITE_BITS")
_FINE_BITS = constant("TINYCC_L2_NORMALIZATION_FINE_BITS")


def _is_of_channels(context: PatternCheckContext) -> bool:
    """Squares are summed over the last axis, which stays."""
    total = context.annotated_expr["total"]
    rank = len(tvm_adapter.shape_of(total.args[0]))
    axes = [int(axis) % rank for axis in total.attrs.axis or range(rank)]
    return bool(total.attrs.keepdims) and axes == [rank - 1]


@dataclass(frozen=True, eq=False)
class L2Normalization(Operator):
    """x / max(sqrt(sum(x^2)), least) over the last axis of int8.

    No length but 0 is below `least`, so that it does not matter: all elements are 0 then.
    """

    kind: ClassVar[str] = "l2_normalization"
    element_types: ClassVar[ElementTypes] = INT8

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(x / clip(sqrt(sum(x * x)), least, inf)) of x = dequantize(q)."""
        stored = wildcard().has_dtype("int8")
        total = is_op("relax.sum")(is_op("relax.multiply")(dequantized(stored), dequantized(stored)))
        length = is_op("relax.clip")(is_op("relax.sqrt")(total), wildcard(), wildcard())
        quotient = is_op("relax.divide")(dequantized(stored), length)
        pattern = quantized(quotient).has_dtype("int8")
        return [FusionPattern("tinycc.l2_normalization", pattern, {"total": total}, _is_of_channels)]

    @classmethod
    def from_composite(cls, composite: Composite) -> "L2Normalization":
        """Read the quantizations; ValueError for bounds that count, and squares beyond 32 bits."""
        source = composite.tensor(composite.call("relax.divide").args[0])
        least, most = (float(bound.value) for bound in composite.call("relax.clip").args[1:3])
        if least > source.real_scale or np.isfinite(most):
            raise ValueError(f"lengths from {least:g} to {most:g} are not supported")
        if source.channels > _MOST_CHANNELS:
            raise ValueError(f"the squares of {source.channels} elements do not fit 32 bits")
        return cls((source,), (composite.result(),))


class PortableL2Normalization(Kernel[L2Normalization]):
    """On any core."""

    def call(self, view: L2Normalization) -> FlatCall:
        """One row of pixels."""
        source, output = view.inputs[0], view.outputs[0]
        is_exact = output.real_scale == 2.0**-_TFLITE_BITS
        multiplier, shift = quantize_multiplier(2.0**-_FINE_BITS / output.real_scale)
        return FlatCall(
            header="l2_normalization.h",
            function="tinycc_l2_normalization_int8",
            struct="tinycc_l2_normalization",
            shape={
                "channels": source.channels,
                "fraction_bits": _TFLITE_BITS if is_exact else _FINE_BITS,
            },
            data={
                "input_zero_point": source.zero_point,
                "output_zero_point": output.zero_point,
                "multiplier": multiplier,
                "shift": shift,
            },
            inputs=(source.elements,),
            columns=source.elements // source.channels,
            elements=output.elements,
        )

    def overlap(self, view: L2Normalization, index: int) -> int:
        """In place."""
        return 0


ROOM = Room(L2Normalization, (PortableL2Normalization(),))
