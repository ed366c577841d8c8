"""The gradient of the input of an average over windows, or over all pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import FLOAT, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
from tinycc.ops.gradient_integers import header_ending, widened
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.spread_window import (
    read_window,
    rows_over,
    rowwise_overlap,
    spread_shape,
    spread_sums,
    window_attributes,
)
from tinycc.ops.window import Window


@dataclass(frozen=True, eq=False)
class AverageGradient(Operator):
    """Each input pixel has from every window over it the gradient, divided by how many pixels that has.

    What lies outside of the input is not counted, as TFLite does not. Integers are divided beforehand.

    inputs: the gradient of the averages, float32 or int16 [1, output height, output width, channels].
    outputs: float32, or int32, [1, height, width, channels].
    """

    window: Window

    kind: ClassVar[str] = "average_gradient"
    element_types: ClassVar[ElementTypes] = frozenset({FLOAT, ("int16", "int32")})
    is_spatial: ClassVar[bool] = True

    @classmethod
    def from_composite(cls, composite: Composite) -> "AverageGradient":
        """Read what `average_gradient` wrote."""
        gradient = composite.tensor(composite.function.params[0])
        return cls((gradient,), (composite.result(),), read_window(composite))

    def describe(self) -> str:
        """Kernel and stride."""
        return self.window.describe()


def average_gradient(gradient: relax.Var, *, window: Window, input_shape: tuple[int, ...]) -> relax.Function:
    """The composite function of an `AverageGradient`. input_shape: [1, height, width, channels]."""
    _, *sizes, channels = tvm_adapter.shape_of(gradient)
    counts = pixel_counts(window, sizes, input_shape[1:3]).astype(np.float32).reshape(1, *sizes, 1)

    def body(emit: Emit, gradient: relax.Var) -> relax.Expr:
        parts = widened(emit, gradient)
        if parts is gradient:
            parts = emit(relax.op.divide(gradient, tvm_adapter.make_constant(counts)))
        ones = np.ones((channels, *window.kernel, 1), tvm_adapter.dtype_of(parts))
        return spread_sums(emit, parts, tvm_adapter.make_constant(ones), window, channels, input_shape)

    return write_composite(AverageGradient.kind, {"gradient": gradient}, body, window_attributes(window))


def pixel_counts(window: Window, counts: Sequence[int], sizes: Sequence[int]) -> np.ndarray:
    """How many pixels each average is of, int64 of the outputs' height and width.

    counts, sizes: height and width of the outputs, and of the input.
    """
    inside = [_taps_inside(window, axis, *pair) for axis, pair in enumerate(zip(counts, sizes, strict=True))]
    return np.multiply.outer(*inside)


def _taps_inside(window: Window, axis: int, count: int, size: int) -> np.ndarray:
    """How many rows, or columns, of each window lie in the input."""
    first = np.arange(count) * window.stride[axis] - window.padding[axis]
    places = first[:, np.newaxis] + np.arange(window.kernel[axis]) * window.dilation[axis]
    return np.maximum(((places >= 0) & (places < size)).sum(axis=1), 1)


class PortableAverageGradient(Kernel[AverageGradient]):
    """On any core."""

    accesses_bytes: ClassVar[bool] = True

    def call(self, view: AverageGradient) -> RowCall:
        """One call for each row."""
        [gradient], [output] = view.inputs, view.outputs
        return RowCall(
            header=f"average_gradient{header_ending(gradient)}.h",
            function=f"tinycc_average_gradient_{gradient.dtype}",
            struct="tinycc_spread",
            shape=spread_shape(view.window, gradient, output, groups=output.channels),
            data={"zero": 0},
            windows=(rows_over(view.window, gradient),),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
            pixel_columns=0,
            counts_rows=True,
        )

    def overlap(self, view: AverageGradient, index: int) -> int | None:
        """Pixels of a row are written while others are read for it."""
        return rowwise_overlap(view.window, view.inputs[0], view.outputs[0])


ROOM = Room(AverageGradient, (PortableAverageGradient(),))
