"""The gradient of the input of maximum pooling."""

import math
from dataclasses import dataclass
from typing import ClassVar

from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import FLOAT, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.gradient_integers import header_ending, rounded_shift, widened
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

    inputs: the gradient of the maxima, float32, int16 or int32 [1, output height, output width, channels];
        what was pooled, int8 [1, height, width, channels].
    outputs: float32, or of integers int32, [1, height, width, channels]. Integers are shifted right by
        `overlap_bits`, so that no sum overflows.
    """

    window: Window

    kind: ClassVar[str] = "max_pool_gradient"
    element_types: ClassVar[ElementTypes] = frozenset({FLOAT, ("int16", "int32"), ("int32", "int32")})
    is_spatial: ClassVar[bool] = True

    @classmethod
    def from_composite(cls, composite: Composite) -> "MaxPoolGradient":
        """Read what `max_pool_gradient` wrote."""
        gradient, source = map(composite.tensor, composite.function.params)
        return cls((gradient, source), (composite.result(),), read_window(composite))

    def describe(self) -> str:
        """Kernel and stride."""
        return self.window.describe()


def overlap_bits(window: Window) -> int:
    """By how many bits sums over all windows that have an element may be longer than what each gives it."""
    axes = zip(window.kernel, window.stride, window.dilation, strict=True)
    counts = [taps if dilation > 1 else -(-taps // stride) for taps, stride, dilation in axes]
    return (math.prod(counts) - 1).bit_length()


def max_pool_gradient(gradient: relax.Var, source: relax.Var, *, window: Window) -> relax.Function:
    """The composite function of a `MaxPoolGradient`."""

    def body(emit: Emit, gradient: relax.Var, source: relax.Var) -> relax.Expr:
        shape, count = tvm_adapter.shape_of(source), tvm_adapter.shape_of(gradient)
        values = widened(emit, gradient)
        dtype = tvm_adapter.dtype_of(values)
        if dtype != "float32":
            values = rounded_shift(emit, values, _integer(overlap_bits(window)))
        wide = emit(relax.op.subtract(emit(relax.op.astype(source, "int32")), _integer(_NOTHING)))
        taps = [(j, k) for j in range(window.kernel[0]) for k in range(window.kernel[1])]
        # Where there is nothing, gathered_tap gives 0, less than all that there is.
        elements = [gathered_tap(emit, wide, window, tap, count[1:3]) for tap in taps]
        largest: relax.Expr = elements[0]
        for value in elements[1:]:
            largest = emit(relax.op.maximum(largest, value))
        free = emit(relax.op.ones_like(largest))
        total: relax.Expr | None = None
        for tap, value in zip(taps, elements, strict=True):
            is_largest = emit(relax.op.astype(emit(relax.op.equal(value, largest)), "int32"))
            chosen = emit(relax.op.multiply(is_largest, free))
            free = emit(relax.op.subtract(free, chosen))
            part = emit(relax.op.multiply(values, emit(relax.op.astype(chosen, dtype))))
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
        gradient, output = view.inputs[0], view.outputs[0]
        is_real = gradient.dtype == "float32"
        return RowCall(
            header=f"max_pool_gradient{header_ending(gradient)}.h",
            function=f"tinycc_max_pool_gradient_{gradient.dtype}",
            struct="tinycc_spread" if is_real else "tinycc_max_pool_gradient_int16",
            shape=spread_shape(view.window, gradient, output, groups=output.channels),
            data={"zero": 0} if is_real else {"shift": overlap_bits(view.window)},
            windows=tuple(map(RowWindow.whole, view.inputs)),
            rows=1,
            columns=output.height,
            row_elements=output.elements,
            pixel_columns=0,
        )


ROOM = Room(MaxPoolGradient, (PortableMaxPoolGradient(),))
