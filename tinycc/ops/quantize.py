"""Float to integer and back, at float edges."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.evaluable import Evaluable
from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.patterns import dequantized, quantized
from tinycc.ops.room import Room
from tinycc.ops.tensor import ITEM_BYTES, Tensor

_INTEGERS = ("int8", "uint8", "int16")


@dataclass(frozen=True, eq=False)
class Quantize(Operator):
    """float32 to int8, uint8 or int16: zero_point + round(x / scale), halves away from zero."""

    kind: ClassVar[str] = "quantize"
    element_types: ClassVar[ElementTypes] = frozenset(("float32", integer) for integer in _INTEGERS)

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """None: it is an operator where no other takes it in."""
        return []

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """quantize(x)."""
        return [FusionPattern("tinycc.quantize", quantized(wildcard()))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Quantize":
        """Read the scale of the result."""
        return cls((composite.tensor(composite.call("relax.quantize").args[0]),), (composite.result(),))


@dataclass(frozen=True, eq=False)
class Dequantize(Evaluable):
    """int8, uint8 or int16 to float32: scale * (x - zero_point)."""

    kind: ClassVar[str] = "dequantize"
    element_types: ClassVar[ElementTypes] = frozenset((integer, "float32") for integer in _INTEGERS)

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """None: it is an operator where no other takes it in."""
        return []

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
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


def _edge_call(function: str, view: Operator, integer: Tensor) -> FlatCall:
    """The call of a kernel that converts element by element, to or from `integer`."""
    low, high = INTEGER_RANGE[integer.dtype]
    return FlatCall(
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
        inputs=(view.inputs[0].elements,),
        columns=view.outputs[0].elements,
        elements=view.outputs[0].elements,
    )


class PortableQuantize(Kernel[Quantize]):
    """Element by element."""

    def call(self, view: Quantize) -> FlatCall:
        """One row of single elements."""
        return _edge_call(f"tinycc_quantize_{view.outputs[0].dtype}", view, view.outputs[0])

    def overlap(self, view: Quantize, index: int) -> int:
        """Elements shrink and are written once read."""
        return 0


class PortableDequantize(Kernel[Dequantize]):
    """Element by element."""

    def call(self, view: Dequantize) -> FlatCall:
        """One row of single elements."""
        return _edge_call(f"tinycc_dequantize_{view.inputs[0].dtype}", view, view.inputs[0])

    def overlap(self, view: Dequantize, index: int) -> int:
        """Elements grow: each must stay behind the next read."""
        source, output = view.inputs[0], view.outputs[0]
        return (ITEM_BYTES[output.dtype] - ITEM_BYTES[source.dtype]) * (source.elements - 1)


QUANTIZE = Room(Quantize, (PortableQuantize(),))
DEQUANTIZE = Room(Dequantize, (PortableDequantize(),))
