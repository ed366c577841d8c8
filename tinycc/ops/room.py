"""A room: an operator, how it is found and read, and the kernels that compute it."""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from tinycc.ops.base import REPEATED, VARIANT, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import PORTABLE, Kernel

View = TypeVar("View", bound=Operator)


@dataclass(frozen=True)
class Room(Generic[View]):
    """The view of an operator, and its kernels, best first; the last computes whatever the view can be."""

    view: type[View]
    kernels: tuple[Kernel[View], ...]

    def read(self, composite: Composite) -> Operator:
        """The view of a composite function, with its kernels.

        ValueError where none of them computes what the function asks for.
        """
        view = self.view.from_composite(composite)
        types = (view.inputs[0].dtype, view.outputs[0].dtype)
        if view.element_types is not None and types not in view.element_types:
            raise ValueError(f"there is no kernel from {types[0]} to {types[1]}")
        if view.is_spatial and view.outputs[0].shape[0] != 1:
            raise ValueError(f"there is no kernel for a batch of {view.outputs[0].shape[0]}")
        variant = str(composite.attribute(VARIANT) or PORTABLE)
        if variant not in {kernel.name for kernel in self.kernels}:
            raise ValueError(f"it has no kernel {variant!r}")
        return replace(
            view,
            kernels=self.kernels,
            variant=variant,
            is_repeated=bool(composite.attribute(REPEATED)),
        )
