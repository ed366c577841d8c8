"""Weights or biases after a mini-batch, by their velocity."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops import bias_update
from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow
from tinycc.ops.update import RANDOM_BITS, Rounding, UpdateRounding
from tinycc.ops.velocity import BIAS_BITS, WEIGHT_BITS
from tinycc.ops.weight_update.view import BOUND as WEIGHT_BOUND

# Of a change that is a real number, the least and the greatest result, and the bits behind the point of
# velocities that are integers; by what changes, weights or biases.
_BOUNDS = {"int8": WEIGHT_BOUND, "int32": bias_update.BOUND}
_LIMITS = {"int8": (-128, 127), "int32": (bias_update.LOW, bias_update.HIGH)}
_BITS = {"int8": WEIGHT_BITS, "int32": BIAS_BITS}


@dataclass(frozen=True, eq=False)
class VelocityUpdate(Operator):
    """weights - (velocity, rounded), what changes held to what weights may be; in other steps weights.

    inputs: the velocity, float32 or int32; whether a mini-batch ends, 1 or 0, and the number of the update,
        int32 [1]; weights, int8, or biases, int32, of the velocity's shape.
    outputs: the new weights, which may be written over the old ones.
    """

    rounding: UpdateRounding

    kind: ClassVar[str] = "velocity_update"
    element_types: ClassVar[ElementTypes] = frozenset(
        (velocity, weights) for velocity in ("float32", "int32") for weights in ("int8", "int32")
    )

    @classmethod
    def from_composite(cls, composite: Composite) -> "VelocityUpdate":
        """Read what `velocity_update` wrote."""
        inputs = tuple(map(composite.tensor, composite.function.params))
        return cls(inputs, (composite.result(),), rounding=UpdateRounding.read(composite))


def velocity_update(
    velocity: relax.Var,
    is_due: relax.Var,
    update: relax.Var,
    weights: relax.Var,
    *,
    seed: int,
    tensor: int,
    rounding: Rounding = "stochastic",
) -> relax.Function:
    """The composite function of a `VelocityUpdate`, whose docstring tells of the operands.

    seed, tensor, rounding: see `UpdateRounding`.
    """
    how = UpdateRounding(seed, tensor, rounding)

    def body(
        emit: Emit, velocity: relax.Var, is_due: relax.Var, update: relax.Var, weights: relax.Var
    ) -> relax.Expr:
        dtype, shape = tvm_adapter.dtype_of(weights), tvm_adapter.shape_of(weights)
        elements = np.arange(np.prod(shape)).reshape(shape)
        if tvm_adapter.dtype_of(velocity) == "float32":
            changes = how.changes_in_relax(emit, velocity, update, _BOUNDS[dtype], elements)
        else:
            random = how.random_bits_in_relax(emit, update, elements)
            dropped = emit(relax.op.right_shift(random, _long(RANDOM_BITS - _BITS[dtype])))
            total = emit(relax.op.add(emit(relax.op.astype(velocity, "int64")), dropped))
            whole = emit(relax.op.right_shift(total, _long(_BITS[dtype])))
            changes = emit(relax.op.astype(whole, "int32"))
        wide = emit(relax.op.astype(weights, "int32"))
        held = emit(relax.op.clip(wide, *_LIMITS[dtype]))
        changed = emit(relax.op.clip(emit(relax.op.subtract(held, changes)), *_LIMITS[dtype]))
        counted = emit(relax.op.multiply(changes, is_due))
        is_changed = emit(relax.op.not_equal(counted, relax.const(0, "int32")))
        return relax.op.astype(emit(relax.op.where(is_changed, changed, wide)), dtype)

    operands = {"velocity": velocity, "is_due": is_due, "update": update, "weights": weights}
    return write_composite(VelocityUpdate.kind, operands, body, how.attributes)


def _long(value: int) -> relax.Expr:
    return relax.const(np.int64(value), "int64")


class PortableVelocityUpdate(Kernel[VelocityUpdate]):
    """On any core."""

    def call(self, view: VelocityUpdate) -> RowCall:
        """Element by element."""
        velocity, weights = view.inputs[0], view.inputs[3]
        low, high = _LIMITS[weights.dtype]
        return RowCall(
            header="velocity_update.h",
            function=f"tinycc_velocity_update_{velocity.dtype}_{weights.dtype}",
            struct="tinycc_velocity_update",
            shape={
                "elements": weights.elements,
                "is_stochastic": view.rounding.is_stochastic,
                "bits": _BITS[weights.dtype],
            },
            data={
                "seed": view.rounding.attributes["seed"],
                "tensor": view.rounding.tensor,
                "bound": int(_BOUNDS[weights.dtype]),
                "low": low,
                "high": high,
            },
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=weights.elements,
            row_elements=weights.elements,
            pixel_columns=0,
        )

    def overlap(self, view: VelocityUpdate, index: int) -> int | None:
        """In place of the weights."""
        return 0 if index == 3 else None


ROOM = Room(VelocityUpdate, (PortableVelocityUpdate(),))
