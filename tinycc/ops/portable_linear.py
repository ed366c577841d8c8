"""What portable kernels of layers with weights have in common: how these lie in flash."""

import math
from typing import ClassVar

from tinycc.ops.kernel import Kernel, Trade
from tinycc.ops.kernel_call import Packed, Value
from tinycc.ops.linear import LinearView
from tinycc.ops.narrow import is_narrow, two_in_a_byte


class PortableLinear(Kernel[LinearView]):
    """A kernel that finds each weight in a byte."""

    def function(self, view: LinearView, name: str) -> str:
        """The function of the kernel called `name`."""
        return f"tinycc_{name}_{view.inputs[0].dtype}"

    def constants(self, view: LinearView) -> dict[str, Value]:
        """Weights, bias and requantization."""
        return view.portable_data()


class NarrowPortable(PortableLinear[LinearView]):
    """A kernel that finds two weights of four bits in a byte: half the flash, some more instructions."""

    name: ClassVar[str] = "portable_narrow"
    trade: ClassVar[Trade | None] = "instructions"

    def fits(self, view: LinearView) -> bool:
        """Weights of four bits; else as with those of eight."""
        return is_narrow(view) and super().fits(view)

    def row_elements(self, view: LinearView) -> int:
        """Weights that begin at a byte together: those of an output channel."""
        return view.taps

    def function(self, view: LinearView, name: str) -> str:
        """The function of the kernel called `name`."""
        return super().function(view, f"{name}_narrow")

    def constants(self, view: LinearView) -> dict[str, Value]:
        """Weights as `two_in_a_byte` has them."""
        elements = self.row_elements(view)
        shape = (math.prod(view.weights_shape) // elements, -(-elements // 2))
        weights = Packed(shape, "int8", lambda: two_in_a_byte(view.requantized.weights.reshape(-1, elements)))
        return {**super().constants(view), "weights": weights}
