"""What lies outside of a tensor that is padded with its own elements."""

from enum import Enum


class Border(Enum):
    """Which element of an axis an index outside of it stands for.

    The values name Relax's padding modes, and the functions in `runtime_c/kernels/shared/border.h`.
    """

    REPLICATE = "replicate"  # a a | a b c d | d d
    REFLECT = "reflect"  # c b | a b c d | c b
    SYMMETRIC = "symmetric"  # b a | a b c d | d c
    CIRCULAR = "circular"  # c d | a b c d | a b

    def inside(self, index: int, size: int) -> int:
        """The index in [0, size) that `index` stands for; it may be outside by at most `reach(size)`."""
        if 0 <= index < size:
            return index
        if self is Border.REPLICATE:
            return 0 if index < 0 else size - 1
        if self is Border.CIRCULAR:
            return index % size
        skipped = 1 if self is Border.REFLECT else 0
        return skipped - 1 - index if index < 0 else 2 * size - 1 - skipped - index

    def reach(self, size: int) -> int | None:
        """How many elements may be added to either side of an axis; None for any number."""
        if self is Border.REPLICATE:
            return None
        return size - 1 if self is Border.REFLECT else size
