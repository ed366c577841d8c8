"""How far searches go before they are content with the best that they have."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SearchLimits:
    """Bounds of all searches: more is slower, and may find less memory.

    order_steps: operators looked at, in all sets of executed ones, in search of their best order.
    """

    order_steps: int = 100_000
