"""Matrices of a product are repeated where both operands are broadcast, so that its kernel computes it."""

import pytest
import tvm
from tvm import relax

from tests.tools.against_vm import kinds_in, steps_from_vm
from tests.tools.assert_pass import assert_becomes
from tests.tools.kernel_runner import dequantized, module_of, quantized
from tests.tools.layers import Shape
from tinycc.passes.broadcast_batches import BroadcastBatches

A, B = (2, 1, 4, 7), (1, 3, 7, 5)


def product(a: Shape, b: Shape, repeated: tuple[Shape | None, Shape | None] = (None, None)) -> tvm.IRModule:
    """A product of int8 matrices, of which some are broadcast to the shapes in `repeated` first."""

    def body(x: relax.Expr, y: relax.Expr) -> relax.Expr:
        x, y = (
            operand if shape is None else relax.op.broadcast_to(operand, relax.ShapeExpr(shape))
            for operand, shape in zip((x, y), repeated, strict=True)
        )
        return quantized(relax.op.matmul(dequantized(x, 0.04, 3), dequantized(y, 0.03, -5)), 0.11, 7)

    return module_of([(a, "int8"), (b, "int8")], body)


def test_both_operands_are_repeated() -> None:
    assert_becomes(BroadcastBatches(), product(A, B), product(A, B, ((2, 3, 4, 7), (2, 3, 7, 5))))


@pytest.mark.parametrize(("a", "b"), [((4, 7), (7, 5)), ((2, 3, 4, 7), (7, 5)), ((1, 4, 7), (3, 7, 5))])
def test_what_a_kernel_broadcasts_is_left_alone(a: Shape, b: Shape) -> None:
    assert_becomes(BroadcastBatches(), product(a, b), product(a, b))


@pytest.mark.parametrize(("a", "b"), [(A, B), ((2, 3, 1, 4, 7), (2, 1, 2, 7, 5))])
def test_kernels_compute_it(a: Shape, b: Shape) -> None:
    module = product(a, b)
    assert set(kinds_in(module)) <= {"matmul", "gather", "pad"}
    assert max(steps_from_vm(module)) <= 1
