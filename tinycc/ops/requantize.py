"""Changing the scale of a quantized tensor."""

from dataclasses import dataclass, replace
from typing import ClassVar

from tvm.relax.dpl import is_const, is_op
from tvm.relax.transform import FusionPattern

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes, KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import activation_range, quantize_multiplier
from tinycc.ops.patterns import activated, dequantized, quantized
from tinycc.ops.tensor import ITEM_BYTES


@dataclass(frozen=True, eq=False)
class Requantize(Operator):
    """quantize(activation(dequantize(x))), between int8, int16 and int32.

    output_range: clamp of the result.
    """

    output_range: tuple[int, int]

    kind: ClassVar[str] = "requantize"
    element_types: ClassVar[ElementTypes] = frozenset(
        (source, result) for source in ("int8", "int16", "int32") for result in ("int8", "int16", "int32")
    ) - {("int32", "int32")}

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

    def overlap_distance(self, index: int) -> int | None:
        """In place unless elements grow; then each element must stay behind the next read."""
        source, output = self.inputs[0], self.outputs[0]
        growth = ITEM_BYTES[output.dtype] - ITEM_BYTES[source.dtype]
        return max(0, growth * (source.elements - 1))

    def kernel(self) -> KernelCall:
        """One row of single elements."""
        source, output = self.inputs[0], self.outputs[0]
        multiplier, shift = quantize_multiplier(source.real_scale / output.real_scale)
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
