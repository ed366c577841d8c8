"""What the gradient of a layer's input is: how it is written and read."""

from dataclasses import dataclass
from typing import ClassVar

from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import FLOAT, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.gradient_integers import widened
from tinycc.ops.spread_window import attributes_of, read_window, spread_sums
from tinycc.ops.window import Window


@dataclass(frozen=True, eq=False)
class InputGradient(Operator):
    """For each input of a layer the sum of gradients of what it is part of, times the weights between them.

    inputs: the gradient of the layer's sums, float32 or int16 [1, output height, output width, outputs];
        weights, int8 [outputs, kernel height, kernel width, inputs / groups], an operand or a constant.
    outputs: float32, or int32, [1, height, width, inputs].
    """

    window: Window
    groups: int

    kind: ClassVar[str] = "input_gradient"
    element_types: ClassVar[ElementTypes] = frozenset({FLOAT, ("int16", "int32")})
    is_spatial: ClassVar[bool] = True

    @classmethod
    def from_composite(cls, composite: Composite) -> "InputGradient":
        """Read what `input_gradient` wrote."""
        gradient = composite.tensor(composite.function.params[0])
        weights = composite.tensor(composite.calls("relax.astype")[-1].args[0])
        groups = composite.integer("groups")
        return cls((gradient, weights), (composite.result(),), read_window(composite), groups)

    @property
    def macs(self) -> int:
        """Every tap of every element of the gradient, padding included."""
        weights = self.inputs[1]
        return self.inputs[0].elements * (weights.elements // weights.shape[0])

    def describe(self) -> str:
        """Kernel, stride, dilation and groups."""
        return self.window.describe() + (f" groups {self.groups}" if self.groups > 1 else "")


def input_gradient(
    gradient: relax.Var,
    weights: relax.Expr,
    *,
    window: Window,
    groups: int,
    input_shape: tuple[int, ...],
) -> relax.Function:
    """The composite function of an `InputGradient`, whose docstring tells of the operands.

    window, groups: of the layer. input_shape: [1, height, width, inputs].
    """

    def body(emit: Emit, gradient: relax.Var, weights: relax.Expr) -> relax.Expr:
        wide = widened(emit, gradient)
        factors = emit(relax.op.astype(weights, tvm_adapter.dtype_of(wide)))
        return spread_sums(emit, wide, factors, window, groups, input_shape)

    operands = {"gradient": gradient, "weights": weights}
    return write_composite(InputGradient.kind, operands, body, attributes_of(window, groups))
