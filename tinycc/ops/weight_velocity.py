"""The velocity of a layer's weights after a training step."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.gradient_integers import FACTOR_BITS, header_ending
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow
from tinycc.ops.spread_window import attributes_of
from tinycc.ops.velocity import WEIGHT_BITS, next_velocity
from tinycc.ops.weight_update.portable import geometry, summed_products
from tinycc.ops.weight_update.view import BOUND, WeightSums, weight_sums
from tinycc.ops.window import Window


@dataclass(frozen=True, eq=False)
class WeightVelocity(WeightSums):
    """decay * velocity + rate * scaling * gradient of weights: see kernels/shared/velocity.h.

    inputs: as `WeightSums` has them, of all channels; what the velocity is multiplied by, float32 [1], or of
        integers int32 [1] in units of 2**-24; the velocity, float32, or of integers int32, with 24 bits
        behind the point.
    outputs: the new velocity, which may be written over the old one.
    """

    kind: ClassVar[str] = "weight_velocity"
    element_types: ClassVar[ElementTypes] = frozenset({("float32", "float32"), ("int16", "int32")})

    @classmethod
    def from_composite(cls, composite: Composite) -> "WeightVelocity":
        """Read what `weight_velocity` wrote."""
        inputs = tuple(map(composite.tensor, composite.function.params))
        return cls(inputs, (composite.result(),), **cls.read(composite))


def weight_velocity(
    gradient: relax.Var,
    source: relax.Var,
    rate: relax.Var,
    decay: relax.Var,
    velocity: relax.Var,
    *exponent: relax.Var,
    zero_point: int,
    scaling: np.ndarray,
    window: Window,
    groups: int,
    offset: int = 0,
    bits: int = FACTOR_BITS,
) -> relax.Function:
    """The composite function of a `WeightVelocity`, whose docstring tells of the operands."""

    def body(
        emit: Emit,
        gradient: relax.Var,
        source: relax.Var,
        rate: relax.Var,
        decay: relax.Var,
        velocity: relax.Var,
        *exponent: relax.Var,
    ) -> relax.Expr:
        shape = tvm_adapter.shape_of(velocity)
        factors = emit(relax.op.multiply(rate, tvm_adapter.make_constant(scaling.astype(np.float32))))
        columns = emit(relax.op.reshape(factors, (shape[0], 1, 1, 1)))
        sums = weight_sums(emit, gradient, source, shape, zero_point=zero_point, window=window, groups=groups)
        whole = emit(relax.op.add(*exponent, relax.const(offset, "int32"))) if exponent else None
        return next_velocity(emit, velocity, decay, columns, sums, whole, bits=WEIGHT_BITS, bound=BOUND)

    names = ("gradient", "source", "rate", "decay", "velocity", "exponent")
    operands = dict(zip(names, (gradient, source, rate, decay, velocity, *exponent), strict=False))
    numbers = {"zero_point": zero_point, "offset": offset, "bits": bits}
    return write_composite(WeightVelocity.kind, operands, body, {**attributes_of(window, groups), **numbers})


class PortableWeightVelocity(Kernel[WeightVelocity]):
    """Blocks of outputs and inputs, whose sums stay in registers."""

    def call(self, view: WeightVelocity) -> RowCall:
        """Whole tensors at once."""
        gradient, velocity = view.inputs[0], view.inputs[4]
        is_real, ending = gradient.dtype == "float32", header_ending(gradient)
        return RowCall(
            header=f"weight_velocity{ending}.h",
            function=f"tinycc_weight_velocity_{gradient.dtype}",
            struct=f"tinycc_weight_velocity{ending}",
            shape={**geometry(view), **({} if is_real else {"run": summed_products(view)})},
            data={
                "scaling": view.scaling,
                "zero_point": view.zero_point,
                **({} if is_real else {"offset": view.offset}),
            },
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=gradient.channels,
            row_elements=velocity.elements,
            pixel_columns=0,
        )

    def overlap(self, view: WeightVelocity, index: int) -> int | None:
        """In place of the velocity."""
        return 0 if index == 4 else None


ROOM = Room(WeightVelocity, (PortableWeightVelocity(),))
