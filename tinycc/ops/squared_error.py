"""Mean squared error of the real numbers that integers stand for, and its gradient."""

from abc import ABC
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow


@dataclass(frozen=True, eq=False)
class _OfTarget(Operator, ABC):
    """Inputs: integers, int8 with a scale and a zero point; what they should stand for, float32 alike."""

    element_types: ClassVar[ElementTypes] = frozenset({("int8", "float32")})

    @classmethod
    def from_composite(cls, composite: Composite) -> Self:
        """Read what the function below wrote."""
        output = composite.tensor(composite.call("relax.dequantize"))
        target = composite.tensor(composite.function.params[1])
        return cls((output, target), (composite.result(),))


@dataclass(frozen=True, eq=False)
class SquaredError(_OfTarget):
    """The mean of squared errors, float32 [1]."""

    kind: ClassVar[str] = "squared_error"


@dataclass(frozen=True, eq=False)
class SquaredErrorGradient(_OfTarget):
    """Its gradient with respect to the integers, float32, of their shape."""

    kind: ClassVar[str] = "squared_error_gradient"


def squared_error(output: relax.Var, target: relax.Var, *, scale: float, zero_point: int) -> relax.Function:
    """The composite function of a `SquaredError`. scale, zero_point: of the output."""

    def body(emit: Emit, output: relax.Var, target: relax.Var) -> relax.Expr:
        error = _error(emit, output, target, scale, zero_point)
        mean = emit(relax.op.mean(emit(relax.op.multiply(error, error))))
        return relax.op.reshape(mean, (1,))

    return write_composite(SquaredError.kind, {"output": output, "target": target}, body)


def squared_error_gradient(
    output: relax.Var, target: relax.Var, *, scale: float, zero_point: int
) -> relax.Function:
    """The composite function of a `SquaredErrorGradient`. scale, zero_point: of the output."""

    def body(emit: Emit, output: relax.Var, target: relax.Var) -> relax.Expr:
        error = _error(emit, output, target, scale, zero_point)
        factor = _factor(scale, int(np.prod(tvm_adapter.shape_of(output))))
        return relax.op.multiply(error, relax.const(factor, "float32"))

    return write_composite(SquaredErrorGradient.kind, {"output": output, "target": target}, body)


def _error(emit: Emit, output: relax.Var, target: relax.Var, scale: float, zero_point: int) -> relax.Var:
    scales, zero_points = relax.const(np.float32(scale), "float32"), relax.const(zero_point, "int32")
    return emit(relax.op.subtract(emit(relax.op.dequantize(output, scales, zero_points)), target))


def _factor(scale: float, elements: int) -> np.float32:
    return np.float32(2 * scale / elements)


class PortableSquaredError(Kernel[_OfTarget]):
    """On any core, either of them."""

    def call(self, view: _OfTarget) -> RowCall:
        """All elements at once."""
        source, output = view.inputs[0], view.outputs[0]
        return RowCall(
            header="squared_error.h",
            function=f"tinycc_{view.kind}_int8",
            struct="tinycc_squared_error",
            shape={"elements": source.elements},
            data={
                "scale": source.real_scale,
                "zero_point": source.zero_point,
                "factor": float(_factor(source.real_scale, source.elements)),
            },
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=output.elements,
            row_elements=output.elements,
            pixel_columns=0,
        )

    def overlap(self, view: _OfTarget, index: int) -> int | None:
        """The gradient in place of the target."""
        return 0 if index == 1 and isinstance(view, SquaredErrorGradient) else None


LOSS = Room(SquaredError, (PortableSquaredError(),))
GRADIENT = Room(SquaredErrorGradient, (PortableSquaredError(),))
