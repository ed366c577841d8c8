"""What a mask of a clamp is: how it is written and read."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite


@dataclass(frozen=True, eq=False)
class ClampMask(Operator):
    """Bit i % 8 of byte i / 8, from the lowest on, is whether low < element i < high.

    inputs: int8 of any shape. outputs: uint8 [elements / 8, rounded up]; bits of no element are 0.
    """

    low: int
    high: int

    kind: ClassVar[str] = "clamp_mask"
    element_types: ClassVar[ElementTypes] = frozenset({("int8", "uint8")})

    @classmethod
    def from_composite(cls, composite: Composite) -> "ClampMask":
        """Read what `clamp_mask` wrote."""
        [result] = map(composite.tensor, composite.function.params)
        low, high = (composite.integer(name) for name in ("low", "high"))
        return cls((result,), (composite.result(),), low, high)

    def describe(self) -> str:
        """What is marked."""
        return f"between {self.low} and {self.high}"


def clamp_mask(result: relax.Var, *, low: int, high: int) -> relax.Function:
    """The composite function of a `ClampMask`."""

    def body(emit: Emit, result: relax.Var) -> relax.Expr:
        elements = math.prod(tvm_adapter.shape_of(result))
        bits = relax.op.astype(inside_of(emit, result, low, high), "int32")
        padded = relax.op.nn.pad(emit(relax.op.reshape(bits, (elements,))), [0, -elements % 8])
        places = tvm_adapter.make_constant(1 << np.arange(8, dtype=np.int32))
        weighted = relax.op.multiply(relax.op.reshape(emit(padded), (-(-elements // 8), 8)), places)
        return relax.op.astype(relax.op.sum(weighted, axis=1), "uint8")

    return write_composite(ClampMask.kind, {"result": result}, body, {"low": low, "high": high})


def inside_of(emit: Emit, result: relax.Var, low: int, high: int) -> relax.Var:
    """Whether each integer lies between bounds, as Relax."""
    wide = emit(relax.op.astype(result, "int32"))
    above, below = (relax.const(bound, "int32") for bound in (low, high))
    return emit(relax.op.logical_and(relax.op.greater(wide, above), relax.op.less(wide, below)))


def unpacked(emit: Emit, mask: relax.Var, shape: tuple[int, ...]) -> relax.Var:
    """The bits of a mask as bool of a shape, as Relax."""
    elements, [count] = math.prod(shape), tvm_adapter.shape_of(mask)
    places = tvm_adapter.make_constant(np.arange(8, dtype=np.uint8))
    bytes_ = emit(relax.op.reshape(mask, (count, 1)))
    bits = relax.op.bitwise_and(relax.op.right_shift(bytes_, places), relax.const(1, "uint8"))
    flat = emit(relax.op.reshape(emit(bits), (count * 8,)))
    kept = emit(relax.op.strided_slice(flat, [0], [0], [elements]))
    return emit(relax.op.astype(relax.op.reshape(kept, shape), "bool"))
