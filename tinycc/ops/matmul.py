"""Product of two matrices of real numbers, neither of which is a constant."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops import float_layer
from tinycc.ops.base import FLOAT, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.patterns import activated
from tinycc.ops.room import Room
from tinycc.ops.row_window import ColumnWindow, RowWindow
from tinycc.ops.tensor import ITEM_BYTES, Tensor


@dataclass(frozen=True, eq=False)
class MatMul(Operator):
    """activation(a @ b) of a [..., vectors, inner] and b [..., inner, outputs], float32.

    The matrices of b are as many as those of a, or one.

    bounds: clamp of the result.
    """

    bounds: tuple[float, float]

    kind: ClassVar[str] = "matmul"
    element_types: ClassVar[ElementTypes] = frozenset({FLOAT})

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """None of integers."""
        return []

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """activation(matmul(a, b))."""
        operands = (wildcard().has_dtype(FLOAT[0]) for _ in range(2))
        return [FusionPattern("tinycc.matmul", activated(is_op("relax.matmul")(*operands)))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "MatMul":
        """Read the operands; ValueError where matrices of `a` are read for several of `b`."""
        a, b = (composite.tensor(operand) for operand in composite.call("relax.matmul").args)
        output = composite.result()
        if min(len(a.shape), len(b.shape)) < 2 or a.height != output.height or b.height not in (1, a.height):
            raise ValueError(f"the product of {a} and {b} is broadcast in a way that is not supported")
        return cls((a, b), (output,), composite.real_range())

    @property
    def macs(self) -> int:
        """Inner size x outputs for each vector."""
        return self.outputs[0].elements * self.inputs[0].channels


class FloatMatMul(Kernel[MatMul]):
    """Some outputs of neighbouring vectors at a time."""

    def call(self, view: MatMul) -> RowCall:
        """A row for each matrix of `a`."""
        a, b = view.inputs
        output = view.outputs[0]
        return RowCall(
            header="matmul_float.h",
            function="tinycc_matmul_float32",
            struct="tinycc_matmul_float",
            shape={"inner": a.channels, "outputs": output.channels},
            data={"output_min": view.bounds[0], "output_max": view.bounds[1]},
            windows=(_matrices(a, columns=ColumnWindow(a.width)), _matrices(b)),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )

    def overlap(self, view: MatMul, index: int) -> int | None:
        """Outputs are written while their vectors of `a` are read; `b` is read until the end."""
        if index:
            return None
        a, output = view.inputs[0], view.outputs[0]
        reads = np.arange(a.height * a.width) * a.channels * ITEM_BYTES[a.dtype]
        return float_layer.tilewise_overlap(reads, output, float_layer.PIXELS)


def _matrices(tensor: Tensor, columns: ColumnWindow | None = None) -> RowWindow:
    """A matrix for each row of the output, or one for all of them."""
    return RowWindow(
        input_rows=tensor.height,
        row_elements=tensor.width * tensor.channels,
        stride=1 if tensor.height > 1 else 0,
        columns=columns,
    )


ROOM = Room(MatMul, (FloatMatMul(),))
