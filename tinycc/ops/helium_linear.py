"""What Helium kernels of layers with weights have in common: which layers, and how weights lie in flash."""

from typing import ClassVar

from tinycc.ops import helium
from tinycc.ops.kernel import Kernel, Trade
from tinycc.ops.linear import LinearView
from tinycc.ops.narrow import NARROW_BITS, is_narrow

# From so many products of weights of four bits on, 16 times their sum may need more than 32 bits.
_TOO_MANY_TAPS = 2**17


class HeliumLinear(Kernel[LinearView]):
    """A kernel that finds each weight in a byte."""

    name: ClassVar[str] = helium.FEATURE
    needs: ClassVar[str | None] = helium.FEATURE
    weight_bits: ClassVar[int] = 8

    def fits(self, view: LinearView) -> bool:
        """Constants as `helium.fits` says."""
        return helium.fits(view)


class NarrowHelium(HeliumLinear[LinearView]):
    """A kernel that finds two weights of four bits in a byte."""

    name: ClassVar[str] = "helium_narrow"
    trade: ClassVar[Trade | None] = "instructions"
    weight_bits: ClassVar[int] = NARROW_BITS

    def fits(self, view: LinearView) -> bool:
        """Weights of four bits, not too many of an output; else as with those of eight."""
        return is_narrow(view) and view.taps < _TOO_MANY_TAPS and super().fits(view)
