"""Float to integer and back, at float edges."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import ElementTypes, KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.patterns import dequantized, quantized
from tinycc.ops.tensor import ITEM_BYTES, Tensor

_INTEGERS = ("int8", "uint8", "int16")


def _edge_call(function: str, source: Tensor, output: Tensor, integer: Tensor) -> KernelCall:
    """The call of a kernel that converts element by element."""
    low, high = INTEGER_RANGE[integer.dtype]
    return KernelCall(
        header="quantize.h",
        function=function,
        struct="tinycc_quantize",
        shape={"channels": 1},
        data={
            "scale": integer.real_scale,
            "zero_point": integer.zero_point,
            "integer_min": low,
            "integer_max": high,
        },
        windows=(RowWindow.whole(source),),
        rows=1,
        is_flat=True,
        columns=output.elements,
        row_elements=output.elements,
    )


@dataclass(frozen=True, eq=False)
class Quantize(Operator):
    """float32 to int8, uint8 or int16: zero_point + round(x / scale), halves away from zero."""

    kind: ClassVar[str] = "quantize"
    element_types: ClassVar[ElementTypes] = frozenset(("float32", integer) for integer in _INTEGERS)

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(x)."""
        return [FusionPattern("tinycc.quantize", quantized(wildcard()))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Quantize":
        """Read the scale of the result."""
        return cls((composite.tensor(composite.call("relax.quantize").args[0]),), (composite.result(),))

    def overlap_distance(self, index: int) -> int | None:
        """Elements shrink and are written once read."""
        return 0

    def kernel(self) -> KernelCall:
        """One row of single elements."""
        source, output = self.inputs[0], self.outputs[0]
        return _edge_call(f"tinycc_quantize_{output.dtype}", source, output, output)


@dataclass(frozen=True, eq=False)
class Dequantize(Operator):
    """int8, uint8 or int16 to float32: scale * (x - zero_point)."""

    kind: ClassVar[str] = "dequantize"
    element_types: ClassVar[ElementTypes] = frozenset((integer, "float32") for integer in _INTEGERS)

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """dequantize(x)."""
        return [FusionPattern("tinycc.dequantize", dequantized())]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Dequantize":
        """Read the scale of the operand."""
        return cls((composite.tensor(composite.call("relax.dequantize")),), (composite.result(),))

    def evaluated(self) -> np.ndarray | None:
        """Element by element."""
        source = self.inputs[0]
        if source.value is None:
            return None
        return np.float32(source.real_scale) * (source.value.astype(np.int32) - source.zero_point).astype(
            np.float32
        )

    def overlap_distance(self, index: int) -> int | None:
        """Elements grow: each must stay behind the next read."""
        source, output = self.inputs[0], self.outputs[0]
        return (ITEM_BYTES[output.dtype] - ITEM_BYTES[source.dtype]) * (source.elements - 1)

    def kernel(self) -> KernelCall:
        """One row of single elements."""
        source, output = self.inputs[0], self.outputs[0]
        return _edge_call(f"tinycc_dequantize_{source.dtype}", source, output, source)
