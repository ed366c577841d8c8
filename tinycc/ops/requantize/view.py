"""What a change of scale is, how it is found and read."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op
from tvm.relax.transform import FusionPattern

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes
from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.composite import Composite
from tinycc.ops.evaluable import Evaluable
from tinycc.ops.fixed_point import INTEGER_RANGE, activation_range, quantize_multiplier
from tinycc.ops.integer_arithmetic import clamp, requantize
from tinycc.ops.lookup_table import INT8_VALUES
from tinycc.ops.patterns import activated, dequantized, quantized
from tinycc.ops.rescaling_lines import Lines, find_lines


@dataclass(frozen=True, eq=False)
class Requantize(ChannelDependence, Evaluable):
    """quantize(activation(dequantize(x))), between int8, uint8, int16 and int32.

    output_range: clamp of the result.
    """

    output_range: tuple[int, int]

    kind: ClassVar[str] = "requantize"
    element_types: ClassVar[ElementTypes] = frozenset(
        (source, result)
        for source in ("int8", "uint8", "int16", "int32")
        for result in ("int8", "uint8", "int16", "int32")
    ) - {("int32", "int32"), ("int32", "uint8"), ("uint8", "int32")}

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(dequantize(x)), with a clamp between them or without.

        TVM has no quantize to int32, so that is astype(round(dequantize(x) / scale) + zero point).
        """
        steps = is_op("relax.round")(is_op("relax.divide")(dequantized(), is_const()))
        wide = is_op("relax.astype")(is_op("relax.add")(steps, is_const())).has_dtype("int32")
        return [
            FusionPattern("tinycc.requantize", quantized(activated(dequantized()))),
            FusionPattern("tinycc.requantize", wide),
        ]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Requantize":
        """Read both scales."""
        output = composite.result()
        source = composite.tensor(composite.call("relax.dequantize"))
        if composite.has("relax.astype"):
            scale, zero_point = (
                tvm_adapter.constant_value(composite.call(name).args[1])
                for name in ("relax.divide", "relax.add")
            )
            output = replace(output, scale=float(scale), zero_point=int(zero_point))
        bounds = activation_range(
            *composite.activation_bounds(), output.real_scale, output.zero_point, output.dtype
        )
        return cls((source,), (output,), bounds)

    @property
    def is_channelwise(self) -> bool:
        """Element by element."""
        return True

    def evaluated(self) -> np.ndarray | None:
        """Element by element."""
        source, output = self.inputs[0], self.outputs[0]
        if source.value is None or source.dtype == "int32":
            return None
        values = source.value.astype(np.int64) - source.zero_point
        results = np.frompyfunc(requantize, 3, 1)(values, *self.multiplier)
        return np.clip(np.asarray(results, np.int64) + output.zero_point, *self.output_range).astype(
            output.dtype
        )

    @cached_property
    def multiplier(self) -> tuple[int, int]:
        """Multiplier and shift."""
        return quantize_multiplier(self.inputs[0].real_scale / self.outputs[0].real_scale)

    @cached_property
    def lines(self) -> Lines | None:
        """Of 8 bits to 8 bits: what gives the results of all elements, taken as int8."""
        source, output = self.inputs[0].as_int8, self.outputs[0].as_int8
        is_clamped = self.output_range != INTEGER_RANGE[self.outputs[0].dtype]
        if source.dtype != "int8" or output.dtype != "int8" or is_clamped:
            return None
        values = (INT8_VALUES - source.zero_point).tolist()
        scaled = [requantize(value, *self.multiplier) + output.zero_point for value in values]
        results = np.array([clamp(result, *INTEGER_RANGE["int8"]) for result in scaled], np.int64)
        return find_lines(results, source.real_scale / output.real_scale, source.zero_point)

    @property
    def flips_sign(self) -> bool:
        """Whether the real numbers stay exactly what they are, in int8 for uint8 or the other way round."""
        source, output = self.inputs[0], self.outputs[0]
        is_same = source.scale == output.scale and source.as_int8.zero_point == output.as_int8.zero_point
        is_clamped = self.output_range != INTEGER_RANGE[output.dtype]
        return {source.dtype, output.dtype} == {"int8", "uint8"} and is_same and not is_clamped

    def describe(self) -> str:
        """That nothing but the sign changes."""
        return "sign flipped" if self.flips_sign else ""
