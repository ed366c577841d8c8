"""Placing buffers in one arena, exactly.

Two buffers whose lifetimes meet must not share bytes, except that an output may overlap the input that dies
at its operator when it starts at least the operator's overlap distance before it, or just that for some
operators. Minimising the arena under these rules is dynamic storage allocation, which is NP-hard in general
and small here: first-fit in a few orders gives a start, and CP-SAT improves it or proves that nothing smaller
exists.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ortools.sat.python import cp_model

from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.plan.model import Buffer

# (output, input) -> how many bytes the output must start before the input to overlap it
Overlaps = Mapping[tuple[str, str], int]
# Of these pairs those of which it must start just so many bytes before it.
Exact = Collection[tuple[str, str]]


@dataclass(frozen=True)
class Placement:
    """Offsets by buffer name; `optimal` if no smaller arena exists, `solver` says how that is known."""

    offsets: Mapping[str, int]
    arena_bytes: int
    optimal: bool
    solver: str


def place(
    buffers: Sequence[Buffer],
    overlaps: Overlaps,
    lower_bound_bytes: int,
    exact: Exact = (),
    limits: SearchLimits = DEFAULT_LIMITS,
) -> Placement:
    """Offsets for all buffers with the least arena found.

    buffers: their `offset` is ignored.
    lower_bound_bytes: where first-fit reaches it, nothing is left to solve.
    """
    best: Placement | None = None
    for name, order in _orders(buffers).items():
        offsets = _first_fit(order, overlaps, exact)
        arena_bytes = max((offsets[buffer.name] + buffer.bytes for buffer in buffers), default=0)
        if best is None or arena_bytes < best.arena_bytes:
            reached = arena_bytes <= lower_bound_bytes
            best = Placement(offsets, arena_bytes, reached, f"first fit by {name}")
    assert best is not None
    return best if best.optimal else _solved(buffers, overlaps, exact, lower_bound_bytes, best, limits)


def is_impossible(
    buffers: Sequence[Buffer],
    overlaps: Overlaps,
    most_bytes: int,
    exact: Exact = (),
    limits: SearchLimits = DEFAULT_LIMITS,
) -> bool:
    """Whether it is proved that no offsets keep all buffers within so many bytes."""
    for order in _orders(buffers).values():
        offsets = _first_fit(order, overlaps, exact)
        if all(offsets[buffer.name] + buffer.bytes <= most_bytes for buffer in buffers):
            return False
    model, _, _ = _model(buffers, overlaps, exact, 0, most_bytes)
    return _solver(limits.solver_seconds).solve(model) == cp_model.INFEASIBLE


def place_apart(
    buffers: Sequence[Buffer],
    overlaps: Overlaps,
    lower_bound_bytes: int,
    exact: Exact = (),
    limits: SearchLimits = DEFAULT_LIMITS,
) -> Placement:
    """`place` with all states in one piece, so that models can share what does not outlive an inference.

    They are behind that, or before it where alignment makes that less.
    """
    working = [buffer for buffer in buffers if buffer.kind != "state"]
    states = [buffer for buffer in buffers if buffer.kind == "state"]
    least = lower_bound_bytes - sum(state.bytes for state in states)
    placement = place(working, overlaps, least, exact, limits)
    offsets, state_bytes = in_a_row(states)
    work_place, state_place = place_beside(working, placement.arena_bytes, states, state_bytes)
    placed = {name: work_place + offset for name, offset in placement.offsets.items()}
    placed |= {name: state_place + offset for name, offset in offsets.items()}
    arena_bytes = max(work_place + placement.arena_bytes, state_place + state_bytes)
    return replace(placement, offsets=placed, arena_bytes=arena_bytes)


def place_beside(
    working: Sequence[Buffer], work_bytes: int, states: Sequence[Buffer], state_bytes: int
) -> tuple[int, int]:
    """Where working memory and states begin: states behind, or before where alignment makes that less."""
    behind = _align(work_bytes, _most_aligned(states))
    before = _align(state_bytes, _most_aligned(working))
    return (before, 0) if before + work_bytes < behind + state_bytes else (0, behind)


def in_a_row(states: Sequence[Buffer]) -> tuple[dict[str, int], int]:
    """Offsets of states one behind the other, those that are aligned most first, and where they end."""
    offsets, end = {}, 0
    for state in sorted(states, key=lambda state: -state.alignment):
        offsets[state.name] = _align(end, state.alignment)
        end = offsets[state.name] + state.bytes
    return offsets, end


def _most_aligned(buffers: Sequence[Buffer]) -> int:
    return max((buffer.alignment for buffer in buffers), default=1)


def _align(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment


def _orders(buffers: Sequence[Buffer]) -> dict[str, list[Buffer]]:
    """Those in which first fit may come close to the least arena."""
    return {
        "size": sorted(buffers, key=lambda buffer: -buffer.bytes),
        "first use": sorted(buffers, key=lambda buffer: (buffer.first_step, -buffer.bytes)),
        "last use": sorted(buffers, key=lambda buffer: (-buffer.last_step, -buffer.first_step)),
    }


def _first_fit(order: Sequence[Buffer], overlaps: Overlaps, exact: Exact) -> dict[str, int]:
    """The lowest offset that is free, for one buffer after the other."""
    offsets: dict[str, int] = {}
    placed: list[Buffer] = []
    for buffer in order:
        # Where it may not start, and where in between it may.
        forbidden: list[tuple[int, int, int | None]] = []
        for other in placed:
            if not buffer.meets(other):
                continue
            start = offsets[other.name]
            below, above = _gaps(buffer, other, overlaps, exact)
            just = _just(buffer, other, overlaps, exact)
            forbidden.append((start - below, start + above, None if just is None else start + just))
        highs = {max(0, _align(high, buffer.alignment)) for _, high, _ in forbidden}
        justs = {just for _, _, just in forbidden if just is not None and just >= 0}
        offsets[buffer.name] = next(
            offset
            for offset in sorted({0} | highs | {just for just in justs if just % buffer.alignment == 0})
            if all(offset <= low or offset >= high or offset == just for low, high, just in forbidden)
        )
        placed.append(buffer)
    return offsets


def _gaps(one: Buffer, other: Buffer, overlaps: Overlaps, exact: Exact) -> tuple[int, int]:
    """How many bytes `one` must start before `other`, or else after it."""
    pairs = (one.name, other.name), (other.name, one.name)
    before, after = (
        min(size, overlaps.get(pair, size)) if pair not in exact else size
        for pair, size in zip(pairs, (one.bytes, other.bytes), strict=True)
    )
    return before, after


def _just(one: Buffer, other: Buffer, overlaps: Overlaps, exact: Exact) -> int | None:
    """How many bytes after `other` `one` may start although they overlap; None for never."""
    if (one.name, other.name) in exact:
        return -overlaps[one.name, other.name]
    return overlaps[other.name, one.name] if (other.name, one.name) in exact else None


def _solved(
    buffers: Sequence[Buffer],
    overlaps: Overlaps,
    exact: Exact,
    lower_bound_bytes: int,
    start: Placement,
    limits: SearchLimits,
) -> Placement:
    """`_solve` by numbers in place of names: what a search has placed is planned again once it is chosen."""
    numbers = {buffer.name: str(index) for index, buffer in enumerate(buffers)}
    found = _solve(
        tuple(replace(buffer, name=numbers[buffer.name], kind="activation") for buffer in buffers),
        tuple((numbers[output], numbers[source], gap) for (output, source), gap in overlaps.items()),
        frozenset((numbers[output], numbers[source]) for output, source in exact),
        lower_bound_bytes,
        tuple(start.offsets[buffer.name] for buffer in buffers),
        start.arena_bytes,
        limits.solver_seconds,
    )
    if found is None:
        return start
    return replace(found, offsets={name: found.offsets[number] for name, number in numbers.items()})


@lru_cache(64)
def _solve(
    buffers: tuple[Buffer, ...],
    gaps: tuple[tuple[str, str, int], ...],
    exact: frozenset[tuple[str, str]],
    lower_bound_bytes: int,
    start: tuple[int, ...],
    limit: int,
    seconds: float,
) -> Placement | None:
    """CP-SAT: an order decision for each pair of buffers that meet, the arena minimised.

    gaps: the overlaps. start: offsets to begin with, which need an arena of `limit` bytes.
    None if nothing is found.
    """
    overlaps = {(output, source): gap for output, source, gap in gaps}
    model, offset, arena = _model(buffers, overlaps, exact, min(lower_bound_bytes, limit), limit, start)
    model.minimize(arena)
    solver = _solver(seconds)
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    offsets = {name: solver.value(offset[name]) for name in offset}
    proved = status == cp_model.OPTIMAL
    return Placement(
        offsets, int(solver.objective_value), proved, "CP-SAT, proved optimal" if proved else "CP-SAT"
    )


def _solver(seconds: float) -> cp_model.CpSolver:
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.max_deterministic_time = seconds
    return solver


def _model(
    buffers: Sequence[Buffer],
    overlaps: Overlaps,
    exact: Exact,
    least: int,
    limit: int,
    start: Sequence[int] = (),
) -> tuple[cp_model.CpModel, dict[str, cp_model.LinearExpr], cp_model.IntVar]:
    """All rules for an arena of `least` to `limit` bytes, and the variables of offsets and arena.

    start: offsets to begin with.
    """
    model = cp_model.CpModel()
    units = {
        buffer.name: model.new_int_var(0, max(0, limit - buffer.bytes) // buffer.alignment, buffer.name)
        for buffer in buffers
    }
    offset = {buffer.name: buffer.alignment * units[buffer.name] for buffer in buffers}
    arena = model.new_int_var(least, limit, "arena")
    for index, buffer in enumerate(buffers):
        model.add(offset[buffer.name] + buffer.bytes <= arena)
        if start:
            model.add_hint(units[buffer.name], start[index] // buffer.alignment)
        for other in buffers[index + 1 :]:
            if buffer.meets(other):
                _separate(model, offset, buffer, other, overlaps, exact)
    return model, offset, arena


def _separate(
    model: cp_model.CpModel,
    offset: Mapping[str, cp_model.LinearExpr],
    one: Buffer,
    other: Buffer,
    overlaps: Overlaps,
    exact: Exact,
) -> None:
    """`one` lies wholly before or after `other`, or overlaps it the one way that is allowed."""
    ways = [model.new_bool_var(""), model.new_bool_var("")]
    gap_before, gap_after = _gaps(one, other, overlaps, exact)
    model.add(offset[one.name] + gap_before <= offset[other.name]).only_enforce_if(ways[0])
    model.add(offset[other.name] + gap_after <= offset[one.name]).only_enforce_if(ways[1])
    just = _just(one, other, overlaps, exact)
    if just is not None:
        ways.append(model.new_bool_var(""))
        model.add(offset[one.name] == offset[other.name] + just).only_enforce_if(ways[2])
    model.add_bool_or(ways)
