"""The gradient of one factor of a product of integers."""

from dataclasses import dataclass
from typing import ClassVar

from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import FLOAT, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.gradient_integers import header_ending, widened
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow


@dataclass(frozen=True, eq=False)
class MultiplyGradient(Operator):
    """gradient * (other - zero point), which a factor that is broadcast has still to be summed over.

    inputs: the gradient of the product before it is rescaled, float32 or int16 [..., height, width,
        channels]; the other factor, int8, each of these dimensions its own or 1.
    outputs: float32, or int32, of the gradient's shape.
    zero_point: of the other factor.
    """

    zero_point: int

    kind: ClassVar[str] = "multiply_gradient"
    element_types: ClassVar[ElementTypes] = frozenset({FLOAT, ("int16", "int32")})

    @classmethod
    def from_composite(cls, composite: Composite) -> "MultiplyGradient":
        """Read what `multiply_gradient` wrote."""
        gradient, other = map(composite.tensor, composite.function.params)
        sizes = [(item.height, item.width, item.channels) for item in (gradient, other)]
        if any(size not in (1, whole) for whole, size in zip(*sizes, strict=True)):
            raise ValueError(f"{other} is not broadcast to {gradient}")
        return cls((gradient, other), (composite.result(),), composite.integer("zero_point"))


def multiply_gradient(gradient: relax.Var, other: relax.Var, *, zero_point: int) -> relax.Function:
    """The composite function of a `MultiplyGradient`."""

    def body(emit: Emit, gradient: relax.Var, other: relax.Var) -> relax.Expr:
        values = widened(emit, gradient)
        dtype = tvm_adapter.dtype_of(values)
        wide = emit(relax.op.astype(other, dtype))
        factor = emit(relax.op.subtract(wide, relax.const(zero_point, dtype)))
        return relax.op.multiply(values, factor)

    operands = {"gradient": gradient, "other": other}
    return write_composite(MultiplyGradient.kind, operands, body, {"zero_point": zero_point})


class PortableMultiplyGradient(Kernel[MultiplyGradient]):
    """On any core."""

    def call(self, view: MultiplyGradient) -> RowCall:
        """One call for each row."""
        gradient, other = view.inputs
        return RowCall(
            header=f"multiply_gradient{header_ending(gradient)}.h",
            function=f"tinycc_multiply_gradient_{gradient.dtype}",
            struct="tinycc_multiply_gradient",
            shape={
                "channels": gradient.channels,
                "pixel_step": other.channels if other.width > 1 else 0,
                "channel_step": 1 if other.channels > 1 else 0,
            },
            data={"zero_point": view.zero_point},
            windows=tuple(
                RowWindow(
                    input_rows=tensor.height,
                    row_elements=tensor.width * tensor.channels,
                    stride=1 if tensor.height > 1 else 0,
                )
                for tensor in view.inputs
            ),
            rows=gradient.height,
            columns=gradient.width,
            row_elements=gradient.width * gradient.channels,
            pixel_columns=0,
        )

    def overlap(self, view: MultiplyGradient, index: int) -> int | None:
        """In place of the gradient, whose elements are not made wider."""
        return 0 if index == 0 and view.inputs[0].dtype == view.outputs[0].dtype else None


ROOM = Room(MultiplyGradient, (PortableMultiplyGradient(),))
