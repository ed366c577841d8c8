"""The velocity of a layer's bias after a training step."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.bias_update import BOUND
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.gradient_integers import header_ending
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow
from tinycc.ops.velocity import BIAS_BITS, next_velocity


@dataclass(frozen=True, eq=False)
class BiasVelocity(Operator):
    """decay * velocity + rate * scaling * gradient of the bias: see kernels/shared/velocity.h.

    inputs: the gradient of the layer's sums, float32 or int16 [..., outputs]; the rate, float32 [1]; what the
        velocity is multiplied by, float32 [1], or of integers int32 [1] in units of 2**-24; the velocity,
        float32 [outputs], or of integers int32, with 16 bits behind the point; of int16 its exponent, int32
        [1].
    outputs: the new velocity, which may be written over the old one.
    scaling: float32 [outputs]. offset: added to the exponent.
    """

    scaling: np.ndarray
    offset: int

    kind: ClassVar[str] = "bias_velocity"
    element_types: ClassVar[ElementTypes] = frozenset({("float32", "float32"), ("int16", "int32")})

    @classmethod
    def from_composite(cls, composite: Composite) -> "BiasVelocity":
        """Read what `bias_velocity` wrote."""
        return cls(
            tuple(map(composite.tensor, composite.function.params)),
            (composite.result(),),
            scaling=composite.real_constant(composite.call("relax.multiply").args[1]),
            offset=composite.integer("offset"),
        )


def bias_velocity(
    gradient: relax.Var,
    rate: relax.Var,
    decay: relax.Var,
    velocity: relax.Var,
    *exponent: relax.Var,
    scaling: np.ndarray,
    offset: int = 0,
) -> relax.Function:
    """The composite function of a `BiasVelocity`, whose docstring tells of the operands."""

    def body(
        emit: Emit,
        gradient: relax.Var,
        rate: relax.Var,
        decay: relax.Var,
        velocity: relax.Var,
        *exponent: relax.Var,
    ) -> relax.Expr:
        [outputs] = tvm_adapter.shape_of(velocity)
        factors = emit(relax.op.multiply(rate, tvm_adapter.make_constant(scaling.astype(np.float32))))
        values = emit(relax.op.astype(gradient, "int64")) if exponent else gradient
        sums = emit(relax.op.sum(emit(relax.op.reshape(values, (-1, outputs))), axis=0))
        whole = emit(relax.op.add(*exponent, relax.const(offset, "int32"))) if exponent else None
        return next_velocity(emit, velocity, decay, factors, sums, whole, bits=BIAS_BITS, bound=BOUND)

    names = ("gradient", "rate", "decay", "velocity", "exponent")
    operands = dict(zip(names, (gradient, rate, decay, velocity, *exponent), strict=False))
    return write_composite(BiasVelocity.kind, operands, body, {"offset": offset})


class PortableBiasVelocity(Kernel[BiasVelocity]):
    """On any core."""

    def call(self, view: BiasVelocity) -> RowCall:
        """Output by output."""
        gradient, velocity = view.inputs[0], view.inputs[3]
        ending = header_ending(gradient)
        return RowCall(
            header=f"bias_velocity{ending}.h",
            function=f"tinycc_bias_velocity_{gradient.dtype}",
            struct=f"tinycc_bias_velocity{ending}",
            shape={"pixels": gradient.elements // velocity.elements, "channels": velocity.elements},
            data={"scaling": view.scaling, **({"offset": view.offset} if ending else {})},
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=velocity.elements,
            row_elements=velocity.elements,
            pixel_columns=0,
        )

    def overlap(self, view: BiasVelocity, index: int) -> int | None:
        """In place of the velocity."""
        return 0 if index == 3 else None


ROOM = Room(BiasVelocity, (PortableBiasVelocity(),))
