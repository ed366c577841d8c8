"""Gradients while a training step is written, and what is different where they are real numbers or integers.

The rules of operators and the walk through the graph are the same for both.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from tvm import relax

from tinycc.graph import Node
from tinycc.ops.add_gradients import add_gradients, sum_exponent
from tinycc.ops.clamp_gradient import clamp_gradient
from tinycc.ops.gradient_exponent import gradient_exponent
from tinycc.ops.gradient_integers import FACTOR_BITS, FixedFactors, bits_below
from tinycc.ops.quantize_gradient import quantize_gradient
from tinycc.ops.table_gradient import table_gradient
from tinycc.training.writer import StepWriter

GradientType = Literal["float", "integer"]


def gradient_type(given: GradientType | None, features: Collection[str]) -> GradientType:
    """What is asked for, or what suits a core with these features: integers where it has no FPU."""
    return given or ("float" if "fpu" in features else "integer")


@dataclass(frozen=True, eq=False)
class Gradient:
    """The gradient of a tensor of integers: values, or values * 2**(exponent + offset).

    values: float32; int32, or int16. exponents: of integers one, int32 [1].
    offset: what is known of it beforehand. bits: of int16.
    """

    values: relax.Var
    exponents: tuple[relax.Var, ...] = ()
    offset: int = 0
    bits: int = FACTOR_BITS


class GradientArithmetic(ABC):
    """How gradients are computed that rules and updates ask for.

    can_overflow: whether values may be no finite numbers.
    velocity_dtype: of what they are summed up in over steps.
    """

    can_overflow: ClassVar[bool] = False
    velocity_dtype: ClassVar[str] = "int32"

    def __init__(self, writer: StepWriter) -> None:
        self.writer = writer

    @abstractmethod
    def of_loss(self, node: Node, values: relax.Var, bounds: tuple[int, int] | None) -> Gradient:
        """The gradient of logits that a loss has found, float32. bounds: of their clamp."""

    @abstractmethod
    def clamped(
        self,
        node: Node,
        gradient: Gradient,
        factor: float | np.ndarray,
        bounds: tuple[int, int],
        *,
        worth: int = 1,
        pixels: int = 1,
    ) -> Gradient:
        """The gradient before the result was rescaled by `factor` and clamped to `bounds`.

        factor: one, or float32 [channels], or [pixels, 1]. worth, pixels: see `bits_below`.
        """

    @abstractmethod
    def looked_up(self, gradient: Gradient, source: relax.Var, slopes: np.ndarray) -> Gradient:
        """The gradient times slopes, float32 [256], of a function of `source`."""

    @abstractmethod
    def average_factor(self, factor: float, counts: np.ndarray) -> float | np.ndarray:
        """What the gradient of averages of so many pixels, [height, width], is rescaled by, like `factor`."""

    @abstractmethod
    def added(self, a: Gradient, b: Gradient) -> Gradient:
        """The sum of two gradients of one tensor."""

    def reshaped(self, gradient: Gradient, shape: tuple[int, ...]) -> Gradient:
        """The same elements under another shape."""
        return replace(gradient, values=self.writer.reshaped(gradient.values, shape))

    def called(
        self, composite: relax.Function, gradient: Gradient, operands: Sequence[relax.Expr]
    ) -> Gradient:
        """What an operator makes of a gradient, its exponent handed on. operands: behind the gradient."""
        return replace(gradient, values=self.writer.call(composite, [gradient.values, *operands]))


class RealGradients(GradientArithmetic):
    """In float32."""

    can_overflow: ClassVar[bool] = True
    velocity_dtype: ClassVar[str] = "float32"

    def of_loss(self, node: Node, values: relax.Var, bounds: tuple[int, int] | None) -> Gradient:
        """As it is."""
        return Gradient(values)

    def clamped(
        self,
        node: Node,
        gradient: Gradient,
        factor: float | np.ndarray,
        bounds: tuple[int, int],
        *,
        worth: int = 1,
        pixels: int = 1,
    ) -> Gradient:
        """By a product for each element."""
        operands = (gradient.values, node.variable)
        composite = clamp_gradient(*operands, factor=factor, low=bounds[0], high=bounds[1])
        return Gradient(self.writer.call(composite, operands))

    def looked_up(self, gradient: Gradient, source: relax.Var, slopes: np.ndarray) -> Gradient:
        """By a product for each element."""
        operands = (gradient.values, source)
        return Gradient(self.writer.call(table_gradient(*operands, table=slopes), operands))

    def average_factor(self, factor: float, counts: np.ndarray) -> float:
        """The operator that spreads it divides by the counts."""
        return factor

    def added(self, a: Gradient, b: Gradient) -> Gradient:
        """By Relax."""
        return Gradient(self.writer.emit("gradient", relax.op.add(a.values, b.values)))


class IntegerGradients(GradientArithmetic):
    """In integers, whose exponent is found anew for each tensor that is multiplied."""

    def __init__(self, writer: StepWriter) -> None:
        super().__init__(writer)
        # Of values, once they have as many bits as a factor.
        self._exponents: dict[relax.Var, relax.Var] = {}

    def of_loss(self, node: Node, values: relax.Var, bounds: tuple[int, int] | None) -> Gradient:
        """With 30 bits of what passes: logits at a bound are wrong by much, and would leave others few."""
        if bounds is not None:
            passing = clamp_gradient(values, node.variable, factor=1.0, low=bounds[0], high=bounds[1])
            values = self.writer.call(passing, [values, node.variable])
        exponent = self.writer.call(gradient_exponent(values), [values])
        operands = (values, exponent)
        return Gradient(self.writer.call(quantize_gradient(*operands), operands), (exponent,))

    def clamped(
        self,
        node: Node,
        gradient: Gradient,
        factor: float | np.ndarray,
        bounds: tuple[int, int],
        *,
        worth: int = 1,
        pixels: int = 1,
    ) -> Gradient:
        """By products of two int16."""
        bits, fixed = bits_below(worth, pixels), FixedFactors.of(np.atleast_1d(factor))
        before, after = self._before_and_after(gradient)
        operands = (gradient.values, node.variable, before, after)
        composite = clamp_gradient(*operands, factor=fixed.integers, low=bounds[0], high=bounds[1], bits=bits)
        values = self.writer.call(composite, operands)
        return Gradient(values, (after,), gradient.offset + fixed.exponent + FACTOR_BITS - bits, bits)

    def looked_up(self, gradient: Gradient, source: relax.Var, slopes: np.ndarray) -> Gradient:
        """By products of two int16."""
        fixed = FixedFactors.of(slopes)
        before, after = self._before_and_after(gradient)
        operands = (gradient.values, source, before, after)
        values = self.writer.call(table_gradient(*operands, table=fixed.integers), operands)
        return Gradient(values, (after,), gradient.offset + fixed.exponent)

    def average_factor(self, factor: float, counts: np.ndarray) -> np.ndarray:
        """With the counts in it."""
        factors = (factor / counts).astype(np.float32).reshape(-1, 1)
        return factors[0] if (factors == factors[0]).all() else factors

    def added(self, a: Gradient, b: Gradient) -> Gradient:
        """At an exponent that both have room in."""
        a, b = sorted((a, b), key=lambda item: str(item.values.ty.dtype) == "int16")
        offsets = (a.offset, b.offset)
        exponents = (*a.exponents, *b.exponents)
        exponent = self.writer.call(sum_exponent(*exponents, offsets=offsets), exponents)
        operands = (a.values, b.values, *exponents, exponent)
        return Gradient(self.writer.call(add_gradients(*operands, offsets=offsets), operands), (exponent,))

    def _before_and_after(self, gradient: Gradient) -> tuple[relax.Var, relax.Var]:
        """The exponent of a gradient, and that of the same shifted to the bits of a factor."""
        [before] = gradient.exponents
        values = gradient.values
        if values not in self._exponents:
            self._exponents[values] = self.writer.call(gradient_exponent(values, before), [values, before])
        return before, self._exponents[values]


ARITHMETICS: dict[GradientType, type[GradientArithmetic]] = {
    "float": RealGradients,
    "integer": IntegerGradients,
}
