"""Matrix products of two tensors that the model computes; those with constant weights are `dense`."""

from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import FLOAT, INT8, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.patterns import activated, dequantized, quantized
from tinycc.ops.row_window import ColumnWindow, RowWindow

# Products of two differences of int8 whose sum fits 32 bits.
_MOST_DEPTH = (2**31 - 1) // 255**2


@dataclass(frozen=True, eq=False)
class Matmul(Operator):
    """Matrices [.., rows, depth] times [.., depth, columns]; one matrix may serve all of the other's.

    output_range: clamp of the result.
    """

    output_range: tuple[float, float]

    kind: ClassVar[str] = "matmul"
    element_types: ClassVar[ElementTypes] = INT8 | {FLOAT}

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(matmul(dequantize(a), dequantize(b))))."""
        product = is_op("relax.matmul")(dequantized(), dequantized())
        return [FusionPattern("tinycc.matmul", quantized(activated(product)))]

    @classmethod
    def float_patterns(cls) -> list[FusionPattern]:
        """activation(matmul(a, b))."""
        operands = (wildcard().has_dtype(FLOAT[0]) for _ in range(2))
        return [FusionPattern("tinycc.matmul", activated(is_op("relax.matmul")(*operands)))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Matmul":
        """Read the operands; ValueError where there is no kernel for them."""
        a, b = (composite.tensor(operand) for operand in composite.call("relax.matmul").args)
        output = composite.result()
        if b.dtype != a.dtype or min(len(a.shape), len(b.shape)) < 2:
            raise ValueError(f"there is no kernel for {a} times {b}")
        if {a.height, b.height} - {1, output.height}:
            raise ValueError(f"batches of {a.height} and {b.height} matrices make one of {output.height}")
        if a.dtype == "int8" and a.channels > _MOST_DEPTH:
            raise ValueError(f"sums of {a.channels} products do not fit 32 bits")
        return cls((a, b), (output,), composite.output_range())

    @property
    def macs(self) -> int:
        """A row times a column for each output."""
        return self.outputs[0].elements * self.inputs[0].channels

    def matrices(self, index: int, columns: ColumnWindow | None = None) -> RowWindow:
        """A matrix of an operand for each of the result, or the same one for all."""
        operand = self.inputs[index]
        return RowWindow(
            input_rows=operand.height,
            row_elements=operand.width * operand.channels,
            stride=1 if operand.height == self.outputs[0].height else 0,
            columns=columns,
        )
