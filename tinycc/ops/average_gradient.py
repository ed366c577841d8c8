"""The gradient of the input of an average over windows, or over all pixels."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import FLOAT, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.composite_writer import Emit, write_composite
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

    What lies outside of the input is not counted, as TFLite does not.

    inputs: the gradient of the averages, float32 [1, output height, output width, channels].
    outputs: float32 [1, height, width, channels].
    """

    window: Window

    kind: ClassVar[str] = "average_gradient"
    element_types: ClassVar[ElementTypes] = frozenset({FLOAT})
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
    inside = [_taps_inside(window, axis, count, input_shape[axis + 1]) for axis, count in enumerate(sizes)]
    counts = np.multiply.outer(*inside).astype(np.float32).reshape(1, *sizes, 1)
    ones = np.ones((channels, *window.kernel, 1), np.float32)

    def body(emit: Emit, gradient: relax.Var) -> relax.Expr:
        parts = emit(relax.op.divide(gradient, tvm_adapter.make_constant(counts)))
        return spread_sums(emit, parts, tvm_adapter.make_constant(ones), window, channels, input_shape)

    return write_composite(AverageGradient.kind, {"gradient": gradient}, body, window_attributes(window))


def _taps_inside(window: Window, axis: int, count: int, size: int) -> np.ndarray:
    """How many rows, or columns, of each window lie in the input."""
    first = np.arange(count) * window.stride[axis] - window.padding[axis]
    places = first[:, np.newaxis] + np.arange(window.kernel[axis]) * window.dilation[axis]
    return np.maximum(((places >= 0) & (places < size)).sum(axis=1), 1)


class PortableAverageGradient(Kernel[AverageGradient]):
    """On any core."""

    def call(self, view: AverageGradient) -> RowCall:
        """One call for each row."""
        [gradient], [output] = view.inputs, view.outputs
        return RowCall(
            header="average_gradient.h",
            function="tinycc_average_gradient_float32",
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
