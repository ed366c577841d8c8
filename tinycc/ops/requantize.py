"""Changing the scale of a quantized tensor."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_const, is_op
from tvm.relax.transform import FusionPattern

from tinycc import tvm_adapter
from tinycc.ops import helium
from tinycc.ops.base import ElementTypes, KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import INTEGER_RANGE, activation_range, quantize_multiplier
from tinycc.ops.integer_arithmetic import clamp, requantize
from tinycc.ops.lookup_table import INT8_VALUES
from tinycc.ops.patterns import activated, dequantized, quantized
from tinycc.ops.rescaling_lines import Lines, find_lines
from tinycc.ops.tensor import ITEM_BYTES, byte_types


@dataclass(frozen=True, eq=False)
class Requantize(Operator):
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
        results = np.frompyfunc(requantize, 3, 1)(values, *self._multiplier)
        return np.clip(np.asarray(results, np.int64) + output.zero_point, *self.output_range).astype(
            output.dtype
        )

    def overlap_distance(self, index: int) -> int | None:
        """In place unless elements grow; then each element must stay behind the next read."""
        source, output = self.inputs[0], self.outputs[0]
        growth = ITEM_BYTES[output.dtype] - ITEM_BYTES[source.dtype]
        return max(0, growth * (source.elements - 1))

    def has_variant(self, feature: str) -> bool:
        """int8 for Helium."""
        is_int8 = byte_types(self.inputs[0], self.outputs[0]) == "int8"
        return feature == helium.FEATURE and is_int8 and self._lines is not None

    @cached_property
    def _multiplier(self) -> tuple[int, int]:
        """Multiplier and shift."""
        return quantize_multiplier(self.inputs[0].real_scale / self.outputs[0].real_scale)

    @cached_property
    def _lines(self) -> Lines | None:
        """Of 8 bits to 8 bits: what gives the results of all elements, taken as int8."""
        source, output = self.inputs[0].as_int8, self.outputs[0].as_int8
        is_clamped = self.output_range != INTEGER_RANGE[self.outputs[0].dtype]
        if source.dtype != "int8" or output.dtype != "int8" or is_clamped:
            return None
        values = (INT8_VALUES - source.zero_point).tolist()
        scaled = [requantize(value, *self._multiplier) + output.zero_point for value in values]
        results = np.array([clamp(result, *INTEGER_RANGE["int8"]) for result in scaled], np.int64)
        return find_lines(results, source.real_scale / output.real_scale, source.zero_point)

    def _lines_kernel(self, lines: Lines) -> KernelCall:
        """Nothing but a multiplication and a shift for each element."""
        is_helium = self.variant == helium.FEATURE
        name = "requantize_lines_helium" if is_helium else "requantize_lines"
        data: dict[str, int | float | np.ndarray] = {
            **vars(lines),
            "zero_point": self.inputs[0].as_int8.zero_point,
        }
        shape = {"channels": 1, "is_one_line": int(lines.step == 0)}
        return replace(
            self._elements_call,
            header=f"{name}.h",
            function=f"tinycc_{name}_{byte_types(self.inputs[0], self.outputs[0])}",
            struct=f"tinycc_{name}",
            shape=shape,
            data=data,
        )

    def kernel(self) -> KernelCall:
        """One row of single elements."""
        if self.flips_sign:
            return self._flip_sign_call
        return self._elements_call if self._lines is None else self._lines_kernel(self._lines)

    @property
    def flips_sign(self) -> bool:
        """Whether the real numbers stay exactly what they are, in int8 for uint8 or the other way round."""
        source, output = self.inputs[0], self.outputs[0]
        is_same = source.scale == output.scale and source.as_int8.zero_point == output.as_int8.zero_point
        is_clamped = self.output_range != INTEGER_RANGE[output.dtype]
        return {source.dtype, output.dtype} == {"int8", "uint8"} and is_same and not is_clamped

    @property
    def _flip_sign_call(self) -> KernelCall:
        """The kernel that flips the highest bit of each byte."""
        return replace(
            self._elements_call,
            header="flip_sign.h",
            function=f"tinycc_flip_sign_{self.inputs[0].dtype}_{self.outputs[0].dtype}",
            struct="tinycc_flip_sign",
            shape={"channels": 1},
            data={"zero": 0},
        )

    def describe(self) -> str:
        """That nothing but the sign changes."""
        return "sign flipped" if self.flips_sign else ""

    @property
    def _elements_call(self) -> KernelCall:
        """The kernel for any types and scales."""
        source, output = self.inputs[0], self.outputs[0]
        multiplier, shift = self._multiplier
        return KernelCall(
            header="requantize.h",
            function=f"tinycc_requantize_{source.dtype}_{output.dtype}",
            struct="tinycc_requantize",
            shape={"channels": 1},
            data={
                "input_zero_point": source.zero_point,
                "multiplier": multiplier,
                "shift": shift,
                "output_zero_point": output.zero_point,
                "output_min": self.output_range[0],
                "output_max": self.output_range[1],
            },
            windows=(RowWindow.whole(source),),
            rows=1,
            is_flat=True,
            columns=output.elements,
            row_elements=output.elements,
        )
