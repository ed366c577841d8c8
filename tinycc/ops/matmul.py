"""Matrix products of two tensors that the model computes; those with constant weights are `dense`."""

from dataclasses import dataclass
from typing import ClassVar

from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import INT8, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import activation_range, quantize_multiplier
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.patterns import activated, dequantized, quantized
from tinycc.ops.room import Room
from tinycc.ops.row_window import RowWindow
from tinycc.ops.tensor import Tensor

# Products of two differences of int8 whose sum fits 32 bits.
_MOST_DEPTH = (2**31 - 1) // 255**2


@dataclass(frozen=True, eq=False)
class Matmul(Operator):
    """Matrices [.., rows, depth] times [.., depth, columns]; one matrix may serve all of the other's.

    output_range: clamp of the result.
    """

    output_range: tuple[int, int]

    kind: ClassVar[str] = "matmul"
    element_types: ClassVar[ElementTypes] = INT8

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(activation(matmul(dequantize(a), dequantize(b))))."""
        product = is_op("relax.matmul")(dequantized(), dequantized())
        return [FusionPattern("tinycc.matmul", quantized(activated(product)))]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Matmul":
        """Read the operands and their scales."""
        call = composite.call("relax.matmul")
        a, b = (composite.tensor(operand) for operand in call.args)
        output = composite.result()
        if b.dtype != "int8" or min(len(a.shape), len(b.shape)) < 2:
            raise ValueError(f"there is no kernel for {a} times {b}")
        if {a.height, b.height} - {1, output.height}:
            raise ValueError(f"batches of {a.height} and {b.height} matrices make one of {output.height}")
        if a.channels > _MOST_DEPTH:
            raise ValueError(f"sums of {a.channels} products do not fit 32 bits")
        bounds = activation_range(
            *composite.activation_bounds(), output.real_scale, output.zero_point, output.dtype
        )
        return cls((a, b), (output,), bounds)

    @property
    def macs(self) -> int:
        """A row times a column for each output."""
        return self.outputs[0].elements * self.inputs[0].channels


class PortableMatmul(Kernel[Matmul]):
    """On any core."""

    def call(self, view: Matmul) -> RowCall:
        """One call for each matrix of the result."""
        a, b = view.inputs
        output = view.outputs[0]
        multiplier, shift = quantize_multiplier(a.real_scale * b.real_scale / output.real_scale)
        return RowCall(
            header="matmul.h",
            function="tinycc_matmul_int8",
            struct="tinycc_matmul",
            shape={"depth": a.channels, "columns": output.channels},
            data={
                "a_zero_point": a.zero_point,
                "b_zero_point": b.zero_point,
                "output_zero_point": output.zero_point,
                "multiplier": multiplier,
                "shift": shift,
                "output_min": view.output_range[0],
                "output_max": view.output_range[1],
            },
            windows=tuple(_matrices(operand, output.height) for operand in (a, b)),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
        )


def _matrices(operand: Tensor, count: int) -> RowWindow:
    """A matrix of an operand for each of `count`, or the same one for all."""
    return RowWindow(
        input_rows=operand.height,
        row_elements=operand.width * operand.channels,
        stride=1 if operand.height == count else 0,
    )


ROOM = Room(Matmul, (PortableMatmul(),))
