"""The gradient of the input of maximum pooling."""

from dataclasses import dataclass
from typing import ClassVar

from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import FLOAT, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow
from tinycc.ops.spread_window import (
    gathered_tap,
    read_window,
    spread_shape,
    spread_tap,
    window_attributes,
)
from tinycc.ops.window import Window

# Less than any int8.
_NOTHING = -129


@dataclass(frozen=True, eq=False)
class MaxPoolGradient(Operator):
    """The first of the largest elements of each window has its gradient; what several windows give is added.

    inputs: the gradient of the maxima, float32 [1, output height, output width, channels]; what was pooled,
        int8 [1, height, width, channels].
    outputs: float32 [1, height, width, channels].
    """

    window: Window

    kind: ClassVar[str] = "max_pool_gradient"
    element_types: ClassVar[ElementTypes] = frozenset({FLOAT})
    is_spatial: ClassVar[bool] = True

    @classmethod
    def from_composite(cls, composite: Composite) -> "MaxPoolGradient":
        """Read what `max_pool_gradient` wrote."""
        gradient, source = map(composite.tensor, composite.function.params)
        return cls((gradient, source), (composite.result(),), read_window(composite))

    def describe(self) -> str:
        """Kernel and stride."""
        return self.window.describe()


def max_pool_gradient(gradient: relax.Var, source: relax.Var, *, window: Window) -> relax.Function:
    """The composite function of a `MaxPoolGradient`."""

    def body(emit: Emit, gradient: relax.Var, source: relax.Var) -> relax.Expr:
        shape, count = tvm_adapter.shape_of(source), tvm_adapter.shape_of(gradient)
        wide = emit(relax.op.subtract(emit(relax.op.astype(source, "int32")), _integer(_NOTHING)))
        taps = [(j, k) for j in range(window.kernel[0]) for k in range(window.kernel[1])]
        # Where there is nothing, gathered_tap gives 0, less than all that there is.
        values = [gathered_tap(emit, wide, window, tap, count[1:3]) for tap in taps]
        largest: relax.Expr = values[0]
        for value in values[1:]:
            largest = emit(relax.op.maximum(largest, value))
        free = emit(relax.op.ones_like(largest))
        total: relax.Expr | None = None
        for tap, value in zip(taps, values, strict=True):
            is_largest = emit(relax.op.astype(emit(relax.op.equal(value, largest)), "int32"))
            chosen = emit(relax.op.multiply(is_largest, free))
            free = emit(relax.op.subtract(free, chosen))
            part = emit(relax.op.multiply(gradient, emit(relax.op.astype(chosen, "float32"))))
            spread = spread_tap(emit, part, window, tap, shape[1:3])
            total = spread if total is None else emit(relax.op.add(total, spread))
        return total

    operands = {"gradient": gradient, "source": source}
    return write_composite(MaxPoolGradient.kind, operands, body, window_attributes(window))


def _integer(value: int) -> relax.Expr:
    return relax.const(value, "int32")


class PortableMaxPoolGradient(Kernel[MaxPoolGradient]):
    """On any core."""

    def call(self, view: MaxPoolGradient) -> RowCall:
        """Whole tensors at once."""
        output = view.outputs[0]
        return RowCall(
            header="max_pool_gradient.h",
            function="tinycc_max_pool_gradient_float32",
            struct="tinycc_spread",
            shape=spread_shape(view.window, view.inputs[0], output, groups=output.channels),
            data={"zero": 0},
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=output.height,
            row_elements=output.elements,
            pixel_columns=0,
        )


ROOM = Room(MaxPoolGradient, (PortableMaxPoolGradient(),))
