"""A room: an operator, how it is found and read, and the kernels that compute it."""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from tinycc.ops.base import FLOAT, INSTRUCTION_SET, REPEATED, VARIANT, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import PORTABLE, Kernel

View = TypeVar("View", bound=Operator)


@dataclass(frozen=True)
class Room(Generic[View]):
    """The view of an operator, and its kernels, best first; the last computes whatever the view can be.

    float_kernels: the same for real numbers, where they need kernels of their own.
    """

    view: type[View]
    kernels: tuple[Kernel[View], ...]
    float_kernels: tuple[Kernel[View], ...] = ()

    def read(self, composite: Composite) -> Operator:
        """The view of a composite function, with its kernels.

        ValueError where none of them computes what the function asks for.
        """
        view = self.view.from_composite(composite)
        types = (view.inputs[0].dtype, view.outputs[0].dtype)
        kernels = self.float_kernels if types == FLOAT and self.float_kernels else self.kernels
        if kernels is self.kernels and view.element_types is not None and types not in view.element_types:
            raise ValueError(f"there is no kernel from {types[0]} to {types[1]}")
        if view.is_spatial and view.outputs[0].shape[0] != 1:
            raise ValueError(f"there is no kernel for a batch of {view.outputs[0].shape[0]}")
        variant = str(composite.attribute(VARIANT) or PORTABLE)
        if variant not in {kernel.name for kernel in kernels}:
            raise ValueError(f"it has no kernel {variant!r}")
        return replace(
            view,
            kernels=kernels,
            variant=variant,
            instruction_set=str(composite.attribute(INSTRUCTION_SET) or ""),
            is_repeated=bool(composite.attribute(REPEATED)),
        )
