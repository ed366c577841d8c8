"""The bias of a layer after a training step."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.dsp import FEATURE
from tinycc.ops.gradient_integers import header_ending
from tinycc.ops.integer_update import integer_changes
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow
from tinycc.ops.update import Rounding, UpdateRounding
from tinycc.runtime_c.constants import constant

# Of a change before it is an integer.
BOUND = float(constant("TINYCC_BIAS_BOUND"))
# Pixels whose gradients an int32 sums.
_RUN = constant("TINYCC_BIAS_UPDATE_RUN")
# What a bias may be: with a change added, it is still an int32.
LOW, HIGH = -(2**30), 2**30 - 1


@dataclass(frozen=True, eq=False)
class BiasUpdate(Operator):
    """bias - (rate * scaling * gradient of the bias, rounded), held to [low, high].

    inputs: the gradient of the layer's sums, float32 or int16 [..., outputs]; the rate, float32 [1]; the
        number of the step, int32 [1]; the bias, int32 [outputs]; of int16 its exponent, int32 [1].
    outputs: the new bias, which may be written over the old one.
    scaling: float32 [outputs]. offset: added to the exponent.
    """

    scaling: np.ndarray
    rounding: UpdateRounding
    low: int
    high: int
    offset: int

    kind: ClassVar[str] = "bias_update"
    element_types: ClassVar[ElementTypes] = frozenset({("float32", "int32"), ("int16", "int32")})

    @classmethod
    def from_composite(cls, composite: Composite) -> "BiasUpdate":
        """Read what `bias_update` wrote."""
        return cls(
            tuple(map(composite.tensor, composite.function.params)),
            (composite.result(),),
            scaling=composite.real_constant(composite.call("relax.multiply").args[1]),
            rounding=UpdateRounding.read(composite),
            low=composite.integer("low"),
            high=composite.integer("high"),
            offset=composite.integer("offset"),
        )


def bias_update(
    gradient: relax.Var,
    rate: relax.Var,
    step: relax.Var,
    bias: relax.Var,
    *exponent: relax.Var,
    scaling: np.ndarray,
    seed: int,
    tensor: int,
    rounding: Rounding = "stochastic",
    low: int = LOW,
    high: int = HIGH,
    offset: int = 0,
) -> relax.Function:
    """The composite function of a `BiasUpdate`, whose docstring tells of the operands.

    exponent: of a gradient of integers. seed, tensor, rounding: see `UpdateRounding`. low, high: within LOW
    and HIGH, or ValueError.
    """
    if not LOW <= low <= high <= HIGH:
        raise ValueError(f"a bias cannot be held to [{low}, {high}]")
    how = UpdateRounding(seed, tensor, rounding)

    def body(
        emit: Emit,
        gradient: relax.Var,
        rate: relax.Var,
        step: relax.Var,
        bias: relax.Var,
        *exponent: relax.Var,
    ) -> relax.Expr:
        [outputs] = tvm_adapter.shape_of(bias)
        factors = emit(relax.op.multiply(rate, tvm_adapter.make_constant(scaling.astype(np.float32))))
        values = emit(relax.op.astype(gradient, "int64")) if exponent else gradient
        sums = emit(relax.op.sum(emit(relax.op.reshape(values, (-1, outputs))), axis=0))
        elements = np.arange(outputs)
        if exponent:
            whole = emit(relax.op.add(*exponent, relax.const(offset, "int32")))
            changes = integer_changes(emit, how, sums, factors, whole, step, bound=BOUND, elements=elements)
        else:
            delta = emit(relax.op.multiply(factors, sums))
            changes = how.changes_in_relax(emit, delta, step, BOUND, elements)
        held = emit(relax.op.clip(bias, low, high))
        return relax.op.clip(emit(relax.op.subtract(held, changes)), low, high)

    names = ("gradient", "rate", "step", "bias", "exponent")
    operands = dict(zip(names, (gradient, rate, step, bias, *exponent), strict=False))
    attributes = {**how.attributes, "low": low, "high": high, "offset": offset}
    return write_composite(BiasUpdate.kind, operands, body, attributes)


class PortableBiasUpdate(Kernel[BiasUpdate]):
    """On any core."""

    def call(self, view: BiasUpdate) -> RowCall:
        """Output by output."""
        gradient, bias = view.inputs[0], view.inputs[3]
        is_real = gradient.dtype == "float32"
        ending = header_ending(gradient)
        return RowCall(
            header=f"bias_update{ending}.h",
            function="tinycc_bias_update_int32" if is_real else "tinycc_bias_update_int16",
            struct=f"tinycc_bias_update{ending}",
            shape={
                "pixels": gradient.elements // bias.elements,
                "channels": bias.elements,
                "is_stochastic": view.rounding.is_stochastic,
            },
            data={
                "scaling": view.scaling,
                "seed": view.rounding.attributes["seed"],
                "tensor": view.rounding.tensor,
                "low": view.low,
                "high": view.high,
                **({} if is_real else {"offset": view.offset}),
            },
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=bias.elements,
            row_elements=bias.elements,
            pixel_columns=0,
        )

    def overlap(self, view: BiasUpdate, index: int) -> int | None:
        """In place of the bias."""
        return 0 if index == 3 else None


class DspBiasUpdate(PortableBiasUpdate):
    """Two outputs at a time, with the DSP extension."""

    name: ClassVar[str] = FEATURE
    needs: ClassVar[str | None] = FEATURE

    def fits(self, view: BiasUpdate) -> bool:
        """Integers of an even number of outputs, whose sums are int32."""
        gradient, outputs = view.inputs[0], view.inputs[3].elements
        pixels = gradient.elements // outputs
        return gradient.dtype == "int16" and outputs % 2 == 0 and pixels <= _RUN

    def call(self, view: BiasUpdate) -> RowCall:
        """Two outputs after the other."""
        return replace(
            super().call(view),
            header="bias_update_dsp.h",
            function="tinycc_bias_update_dsp_int16",
            struct="tinycc_bias_update_dsp",
        )


ROOM = Room(BiasUpdate, (DspBiasUpdate(), PortableBiasUpdate()))
