"""Updates of integers by real numbers, as kernels/shared/update.h has them: in numpy and in Relax."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit

Rounding = Literal["stochastic", "nearest"]

# Of a random number.
RANDOM_BITS = 24
_ELEMENT = 0x9E3779B9
# Of mix: shift, factor, shift, factor, shift.
_SHIFTS, _FACTORS = (16, 15, 16), (0x7FEB352D, 0x846CA68B)


@dataclass(frozen=True)
class UpdateRounding:
    """How changes of a tensor are made integers.

    seed: of the random numbers; tensor: its number, by which they differ from those of others.
    rounding: "stochastic", or "nearest", by which changes of less than half a unit are lost.
    """

    seed: int = 0
    tensor: int = 0
    rounding: Rounding = "stochastic"

    @classmethod
    def read(cls, composite: Composite) -> "UpdateRounding":
        """From attributes that `attributes` gave a composite function."""
        is_stochastic = composite.integer("is_stochastic")
        rounding: Rounding = "stochastic" if is_stochastic else "nearest"
        return cls(composite.integer("seed"), composite.integer("tensor"), rounding)

    @property
    def attributes(self) -> dict[str, int]:
        """It as attributes of a composite function, and as constants of a kernel."""
        return {"seed": _signed(self.seed), "tensor": self.tensor, "is_stochastic": self.is_stochastic}

    @property
    def is_stochastic(self) -> int:
        """1 or 0."""
        return int(self.rounding == "stochastic")

    def changes(self, delta: np.ndarray, step: int, bound: float, elements: np.ndarray) -> np.ndarray:
        """floor(delta + u), int32. delta: float32, of any shape. elements: their numbers in the tensor."""
        u = self.uniform(step, elements)
        finite = np.where(np.isfinite(delta), delta, np.float32(0))
        held = np.clip(finite, np.float32(-bound), np.float32(bound))
        return np.floor(held + u).astype(np.int32)

    def uniform(self, step: int, elements: np.ndarray) -> np.ndarray:
        """What is added before rounding down: float32 in [0, 1); 0.5 where rounding is to nearest."""
        if not self.is_stochastic:
            return np.full(np.shape(elements), 0.5, np.float32)
        key = _mix(_mix(_uint32(self.seed) ^ _uint32(step)) ^ _uint32(self.tensor))
        hashes = _mix(key + np.asarray(elements).astype(np.uint32) * np.uint32(_ELEMENT))
        return (hashes >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)

    def changes_in_relax(
        self, emit: Emit, delta: relax.Expr, step: relax.Expr, bound: float, elements: np.ndarray
    ) -> relax.Var:
        """The same of an expression. step: int32 [1]."""
        zeros = emit(relax.op.zeros_like(delta))
        finite = emit(relax.op.where(emit(relax.op.isfinite(delta)), delta, zeros))
        held = emit(relax.op.clip(finite, -bound, bound))
        whole = relax.op.floor(emit(relax.op.add(held, self._uniform_in_relax(emit, step, elements))))
        return emit(relax.op.astype(emit(whole), "int32"))

    def _uniform_in_relax(self, emit: Emit, step: relax.Expr, elements: np.ndarray) -> relax.Expr:
        if not self.is_stochastic:
            return relax.const(0.5, "float32")
        upper = emit(relax.op.astype(self._hashes_in_relax(emit, step, elements), "float32"))
        return emit(relax.op.multiply(upper, relax.const(2.0**-RANDOM_BITS, "float32")))

    def random_bits_in_relax(self, emit: Emit, step: relax.Expr, elements: np.ndarray) -> relax.Expr:
        """`uniform` * 2**24, int64."""
        if not self.is_stochastic:
            return relax.const(np.int64(1 << RANDOM_BITS - 1), "int64")
        return emit(relax.op.astype(self._hashes_in_relax(emit, step, elements), "int64"))

    def _hashes_in_relax(self, emit: Emit, step: relax.Expr, elements: np.ndarray) -> relax.Var:
        """The upper bits of each element's hash, uint32."""

        def mix(value: relax.Expr) -> relax.Var:
            for index, shift in enumerate(_SHIFTS):
                shifted = emit(relax.op.right_shift(value, _constant(shift)))
                value = emit(relax.op.bitwise_xor(value, shifted))
                if index < len(_FACTORS):
                    value = emit(relax.op.multiply(value, _constant(_FACTORS[index])))
            return value

        seeded = emit(relax.op.bitwise_xor(emit(relax.op.astype(step, "uint32")), _constant(self.seed)))
        key = mix(emit(relax.op.bitwise_xor(mix(seeded), _constant(self.tensor))))
        places = elements.astype(np.uint32) * np.uint32(_ELEMENT)
        hashes = mix(emit(relax.op.add(key, tvm_adapter.make_constant(places))))
        return emit(relax.op.right_shift(hashes, _constant(32 - RANDOM_BITS)))


def _mix(value: np.ndarray) -> np.ndarray:
    value = value ^ (value >> np.uint32(_SHIFTS[0]))
    for factor, shift in zip(_FACTORS, _SHIFTS[1:], strict=True):
        value = value * np.uint32(factor)
        value = value ^ (value >> np.uint32(shift))
    return value


def _uint32(value: int) -> np.ndarray:
    """As an array, whose arithmetic wraps around in silence."""
    return np.array([value & 0xFFFFFFFF], np.uint32)


def _signed(value: int) -> int:
    return (value & 0xFFFFFFFF ^ 0x80000000) - 0x80000000


def _constant(value: int) -> relax.Expr:
    return relax.const(np.uint32(value & 0xFFFFFFFF), "uint32")
