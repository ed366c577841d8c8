"""Placing buffers: never on top of each other, as close as the rules allow, and as good as brute force."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ortools.sat.python import cp_model

from tests.plan.plans import SHAPE, plan_of, sigmoid
from tests.tools.kernel_runner import module_of
from tinycc.plan.arena import Overlaps, place
from tinycc.plan.live import live_bytes
from tinycc.plan.model import Buffer, Step


def buffer(name: str, size: int, first: int, last: int, alignment: int = 1) -> Buffer:
    return Buffer(name, "activation", size, alignment, first, last)


def test_two_buffers_that_live_together_do_not_share_an_address() -> None:
    placement = place([buffer("a", 10, 0, 1), buffer("b", 10, 0, 1)], {}, 20)
    assert sorted(placement.offsets.values()) == [0, 10]
    assert placement.arena_bytes == 20 and placement.optimal


def test_buffers_that_never_meet_share_all_of_it() -> None:
    placement = place([buffer("a", 10, 0, 1), buffer("b", 7, 2, 3)], {}, 10)
    assert set(placement.offsets.values()) == {0}
    assert placement.arena_bytes == 10


def test_offsets_are_aligned() -> None:
    buffers = [buffer("a", 3, 0, 1), buffer("b", 8, 0, 1, 4), buffer("c", 6, 0, 1, 2)]
    placement = place(buffers, {}, 17)
    for item in buffers:
        assert placement.offsets[item.name] % item.alignment == 0
    assert placement.arena_bytes == 17


def test_an_output_starts_its_overlap_distance_before_the_dying_input() -> None:
    placement = place([buffer("in", 100, 0, 1), buffer("out", 80, 1, 2)], {("out", "in"): 12}, 112)
    assert placement.offsets["in"] - placement.offsets["out"] == 12
    assert placement.arena_bytes == 112


def test_an_output_may_start_within_the_dying_input_where_the_distance_is_negative() -> None:
    buffers = [buffer("base", 8, 0, 2), buffer("in", 100, 0, 1), buffer("out", 20, 1, 2)]
    placement = place(buffers, {("out", "in"): -30}, 108)
    assert placement.arena_bytes == 108
    start = placement.offsets["out"] - placement.offsets["in"]
    assert start <= 30 or start >= 100


def test_a_distance_is_of_the_output_alone() -> None:
    """The input may not start that much before its output."""
    placement = place([buffer("in", 10, 0, 1), buffer("out", 80, 1, 2)], {("out", "in"): 75}, 85)
    assert placement.offsets["in"] - placement.offsets["out"] >= 75


def test_an_output_in_place_costs_nothing() -> None:
    assert (
        place([buffer("in", 100, 0, 1), buffer("out", 100, 1, 2)], {("out", "in"): 0}, 100).arena_bytes == 100
    )


def test_an_output_that_overlaps_exactly_starts_nowhere_else_within_its_input() -> None:
    pair = ("out", "in")
    buffers = [buffer("base", 8, 0, 2), buffer("in", 100, 0, 1), buffer("out", 90, 1, 2)]
    placement = place(buffers, {pair: 0}, 108, exact={pair})
    assert placement.offsets["in"] == placement.offsets["out"] and placement.arena_bytes == 108
    held = [*buffers, buffer("least", 1, 1, 2), buffer("other", 99, 2, 3)]
    offsets = place(held, {pair: 0}, 0, exact={pair}).offsets
    assert offsets["in"] == offsets["out"]


def test_rings_of_one_stage_share_memory_where_their_moments_are_apart() -> None:
    rings = [
        Buffer("a", "ring", 10, 1, 0, 0, ((0, 1), (4, 5))),
        Buffer("b", "ring", 10, 1, 0, 0, ((2, 3),)),
        Buffer("c", "ring", 10, 1, 0, 0, ((3, 4),)),
    ]
    placement = place(rings, {}, 20)
    assert placement.offsets["a"] == placement.offsets["b"] != placement.offsets["c"]
    assert placement.arena_bytes == 20


def test_no_buffers_need_no_arena() -> None:
    assert place([], {}, 0).arena_bytes == 0


def test_a_hundred_and_fifty_buffers_are_placed() -> None:
    chain = [buffer(f"b{index}", 1000 + 37 * (index * 7919 % 23), index, index + 1) for index in range(150)]
    pairs = itertools.pairwise(chain)
    bound = max(one.bytes + other.bytes for one, other in pairs)
    placement = place(chain, {}, bound)
    assert bound <= placement.arena_bytes <= 1.1 * bound


def test_what_was_placed_under_other_names_is_not_solved_again(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = [(13, 0, 2), (7, 1, 3), (11, 2, 5), (5, 3, 6), (9, 0, 6), (3, 4, 7), (12, 5, 8), (6, 6, 8)]
    plain, named = ([buffer(f"{name}{item}", *item) for item in sizes] for name in ("a", "train_b"))
    overlaps = [{(items[3].name, items[1].name): 2} for items in (plain, named)]
    first = place(plain, overlaps[0], 1)
    monkeypatch.setattr(cp_model, "CpSolver", None)
    second = place(named, overlaps[1], 1)
    assert first.solver == second.solver == "CP-SAT, proved optimal"
    assert [first.offsets[item.name] for item in plain] == [second.offsets[item.name] for item in named]
    with pytest.raises(TypeError):
        place(named, {}, 1)


def brute_force(buffers: list[Buffer], overlaps: Overlaps, limit: int) -> int:
    """The least arena of all placements, offset by offset."""
    best = limit

    def extend(index: int, offsets: dict[str, int], used: int) -> None:
        nonlocal best
        if used >= best:
            return
        if index == len(buffers):
            best = used
            return
        new = buffers[index]
        for offset in range(0, best - new.bytes, new.alignment):
            if all(fits(new, offset, other, offsets[other.name]) for other in buffers[:index]):
                extend(index + 1, {**offsets, new.name: offset}, max(used, offset + new.bytes))

    def fits(one: Buffer, at: int, other: Buffer, other_at: int) -> bool:
        if not one.meets(other):
            return True
        gap = min(one.bytes, overlaps.get((one.name, other.name), one.bytes))
        other_gap = min(other.bytes, overlaps.get((other.name, one.name), other.bytes))
        return at + gap <= other_at or other_at + other_gap <= at

    extend(0, {}, 0)
    return best


@st.composite
def instances(draw: st.DrawFn) -> tuple[list[Buffer], Overlaps]:
    buffers = []
    for index in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, 3))
        size, alignment = draw(st.integers(1, 6)), draw(st.sampled_from([1, 1, 2]))
        buffers.append(buffer(f"b{index}", size, first, draw(st.integers(first, 4)), alignment))
    # An output is born where the input it overlaps dies; a distance may be larger than either.
    overlaps = {
        (one.name, other.name): draw(st.integers(-3, 4))
        for one, other in itertools.permutations(buffers, 2)
        if one.first_step == other.last_step and draw(st.booleans())
    }
    return buffers, overlaps


@settings(max_examples=60)
@given(instances())
def test_the_arena_is_the_least_there_is(instance: tuple[list[Buffer], Overlaps]) -> None:
    buffers, overlaps = instance
    most = sum(item.bytes + item.alignment for item in buffers)
    placement = place(buffers, overlaps, 0)
    assert placement.optimal
    assert placement.arena_bytes == brute_force(buffers, overlaps, most + 1)


@settings(max_examples=60)
@given(instances())
def test_first_fit_is_no_better_than_the_solver(instance: tuple[list[Buffer], Overlaps]) -> None:
    buffers, overlaps = instance
    least = place(buffers, overlaps, 0).arena_bytes
    first_fit = place(buffers, overlaps, 2**20)
    assert first_fit.solver.startswith("first fit") and first_fit.arena_bytes >= least
    assert place(buffers, overlaps, least).arena_bytes == least


@pytest.fixture(scope="module")
def template() -> Step:
    """A step to make others of: what its operator is does not matter to memory."""
    return plan_of(module_of([(SHAPE, "int8")], sigmoid)).steps[0]


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[Buffer], list[tuple[str, dict[str, int]]]]:
    """Buffers of up to four steps, and of each step its output and the distances to inputs that die there."""
    count = draw(st.integers(1, 4))
    reads = [draw(st.sets(st.integers(0, index), min_size=1, max_size=2)) for index in range(count)]
    buffers = []
    for index in range(count + 1):
        readers = [step for step, sources in enumerate(reads) if index in sources]
        first = max(0, index - 1)
        last = max([first, *readers]) if index < count else count - 1
        buffers.append(buffer(f"b{index}", draw(st.integers(1, 6)), first, last))
    steps = []
    for step, sources in enumerate(reads):
        dying = [source for source in sorted(sources) if buffers[source].last_step == step]
        distances = {f"b{source}": draw(st.integers(-3, 4)) for source in dying if draw(st.booleans())}
        steps.append((f"b{step + 1}", distances))
    return buffers, steps


@settings(max_examples=100)
@given(programs())
def test_nothing_fits_below_the_fullest_step(
    template: Step, program: tuple[list[Buffer], list[tuple[str, dict[str, int]]]]
) -> None:
    buffers, outputs = program
    steps = tuple(replace(template, outputs=(output,), overlaps=gaps) for output, gaps in outputs)
    bound = max(live_bytes(steps, {item.name: item for item in buffers}))
    overlaps = {(output, source): gap for output, gaps in outputs for source, gap in gaps.items()}
    assert bound <= brute_force(buffers, overlaps, sum(item.bytes for item in buffers) + 1)
