"""Kernels as objects: what a room asks of each of the kernels that compute its operator."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

from tinycc.ops.kernel_call import AccumulatingCall, AnyCall

# The name of kernels that any core runs.
PORTABLE = "portable"

# What a kernel gives up against another one: flash that would be left, for constants that save instructions;
# instructions, for constants that take less flash; or rows, as it takes whole tensors only, for fewer
# instructions or less memory.
Trade: TypeAlias = Literal["flash", "instructions", "rows"]

View = TypeVar("View", contravariant=True)


@dataclass(frozen=True)
class Scratch:
    """Working memory in the arena, beside inputs and outputs; its address is a multiple of `alignment`."""

    bytes: int = 0
    alignment: int = 4


class Kernel(ABC, Generic[View]):
    """One way to compute an operator.

    name: what reports call it. Kernels of a room may share a name: of those the first that fits is meant.
    needs: the feature of the core without which it does not run; None for none.
    trade: of a kernel that is taken in place of another one only where that pays.
    accesses_bytes: it reads what may overlap as if it were bytes, which C asks for where elements are of
        other types (kernels/shared/any_type.h).
    overlaps_exactly: an output that overlaps an input starts just as many bytes before it as `overlap` says;
        others may start further before.
    """

    name: ClassVar[str] = PORTABLE
    needs: ClassVar[str | None] = None
    trade: ClassVar[Trade | None] = None
    accesses_bytes: ClassVar[bool] = False
    overlaps_exactly: ClassVar[bool] = False

    def fits(self, view: View) -> bool:
        """Whether it computes this operator; the last kernel of a room computes all of them."""
        return True

    @abstractmethod
    def call(self, view: View) -> AnyCall:
        """The call that computes the operator."""

    def row_call(self, view: View) -> AnyCall | None:
        """The call that computes it row by row, where that is another one; None if there is none."""
        return self.call(view)

    def accumulate(self, view: View, height: int) -> AccumulatingCall | None:
        """The call that takes in one of `height` rows of the input after the other; None if there is none."""
        return None

    def scratch(self, view: View) -> Scratch:
        """Working memory of `call`."""
        return Scratch()

    def overlap(self, view: View, index: int) -> int | None:
        """How many bytes the output must start before input `index`, if that dies here; None for never."""
        return None


class NoKernel(Kernel[Any]):
    """Of what is no operator of a room: a stage runs the kernels of its members."""

    def call(self, view: Any) -> AnyCall:
        """None."""
        raise ValueError("it has no kernel of its own")
