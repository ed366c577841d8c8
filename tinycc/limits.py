"""How far searches go before they are content with the best that they have."""

from dataclasses import dataclass


@dataclass(frozen=True)
class SearchLimits:
    """Bounds of all searches: more is slower, and may find less memory.

    order_steps: operators looked at, in all sets of executed ones, in search of their best order.
    plans: schedules that are planned before the search is content with the best so far.
    blocks: how many blocks with a reduction in their middle may run in two passes.
    strips: into how many strips of columns stages are cut.
    ring_share: the share of what is live from which on a stage's rings are worth cutting it.
    solver_seconds: of deterministic time for placing buffers, where first fit does not reach the bound.
    """

    order_steps: int = 100_000
    plans: int = 24
    blocks: int = 8
    strips: tuple[int, ...] = (2, 3, 4, 6, 8)
    ring_share: float = 0.25
    solver_seconds: float = 20.0


DEFAULT_LIMITS = SearchLimits()
