"""Choosing the schedule of a module: the options of a user, answered by the search."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import tvm

from tinycc.errors import UnsupportedError
from tinycc.graph import OperatorGraph
from tinycc.ops.stage import Grid
from tinycc.plan import Plan, plan_of
from tinycc.schedule.candidates import Candidate, Candidates
from tinycc.schedule.fitting import Fitting
from tinycc.schedule.growing import GrownStage
from tinycc.schedule.options import ScheduleOptions
from tinycc.schedule.search import Schedule, Search
from tinycc.schedule.staged import scheduled, staged
from tinycc.schedule.two_passes import blocks_of, in_two_passes
from tinycc.schedule.well_formed import well_formed
from tinycc.schedule.within import StepsWithin


@dataclass(frozen=True)
class Choice:
    """A schedule and the spaces that were looked at; it belongs to the last.

    is_cut: whether strips were looked at.
    """

    spaces: tuple["Space", ...]
    schedule: Schedule
    is_cut: bool = False

    @property
    def space(self) -> "Space":
        """That of the schedule."""
        return self.spaces[-1]

    @property
    def front(self) -> tuple[Schedule, ...]:
        """The schedules that were considered, least memory first."""
        considered = [self.schedule]
        for space in self.spaces:
            considered += space.once.front()
            considered += space.again.front() if self.is_cut else []
        return _front(considered)

    @property
    def graph(self) -> OperatorGraph:
        """The graph, scheduled."""
        return scheduled(self.space.candidates.graph, self.schedule.candidates)

    @property
    def module(self) -> tvm.IRModule:
        """The module, scheduled."""
        return well_formed(staged(self.space.candidates.graph, self.schedule.candidates))


@dataclass(eq=False)
class Space:
    """All schedules of a module, without and with elements that are computed again.

    plans: of the schedules that were planned.
    """

    candidates: Candidates
    plans: dict[Schedule, Plan] = field(default_factory=dict)

    def plan_of(self, schedule: Schedule) -> Plan:
        """What the planner makes of a schedule."""
        if schedule not in self.plans:
            graph = scheduled(self.candidates.graph, schedule.candidates)
            self.plans[schedule] = plan_of(graph, self.candidates.limits)
        return self.plans[schedule]

    def arena_of(self, schedule: Schedule) -> int:
        """The arena that the planner needs for a schedule."""
        return self.plan_of(schedule).arena_bytes

    def fits(self, schedule: Schedule, most_bytes: int) -> bool:
        """Whether the arena of a schedule is no more than this."""
        return schedule.live_bytes <= most_bytes and self.arena_of(schedule) <= most_bytes

    @cached_property
    def whole(self) -> Schedule:
        """Every operator on whole tensors, save the shortest stage that takes rows from outside.

        Raises UnsupportedError where none can take them.
        """
        whole = self.candidates.whole
        if self.candidates.graph.row_input is None:
            return Schedule(tuple(whole))
        stages = [stage for stage in self.candidates.stages if stage.is_fed]
        if not stages:
            raise UnsupportedError(
                "the input cannot come row by row: no stage holds all operators that read it; "
                "compile with --input-mode tensor"
            )
        fed = min(stages, key=lambda stage: stage.members)
        before = [candidate for candidate in whole if candidate.last <= fed.first]
        after = [candidate for candidate in whole if candidate.first >= fed.last]
        return Schedule((*before, fed, *after))

    def quickest(self, most_bytes: int | None) -> Schedule:
        """`whole` by the kernels of fewest instructions.

        Where not all of them fit together, those that save most come first.
        most_bytes: for the arena; None for no more than the usual kernels need.
        """
        usual = {candidate.first: candidate for candidate in self.whole.candidates if not candidate.members}
        quicker = [
            traded
            for traded in self.candidates.traded
            if traded.first in usual and traded.instructions < usual[traded.first].instructions
        ]
        if not quicker:
            return self.whole
        limit = self.arena_of(self.whole) if most_bytes is None else most_bytes
        cheapest = self._search([*self.whole.candidates, *quicker]).cheapest(limit)
        if cheapest is not None and self.arena_of(cheapest) <= limit:
            return cheapest
        schedule = self.whole
        saving = sorted(quicker, key=lambda one: one.instructions - usual[one.first].instructions)
        for traded in saving[: self.candidates.limits.plans]:
            steps = [traded if step is usual[traded.first] else step for step in schedule.candidates]
            if self.arena_of(Schedule(tuple(steps))) <= limit:
                schedule = Schedule(tuple(steps))
        return schedule

    @cached_property
    def usual(self) -> Search:
        """Whole tensors by the chosen kernels, and stages."""
        return self._search([*self.candidates.whole, *self.candidates.stages])

    @cached_property
    def once(self) -> Search:
        """Whole tensors and stages that compute everything once."""
        return self._search(self._each_once)

    @cached_property
    def again(self) -> Search:
        """These, and stages cut into strips."""
        return self._search([*self._each_once, *self.candidates.strips])

    def once_within(self, most_bytes: int) -> Schedule | None:
        """The cheapest of `once` whose arena is no more than this, None where there is none."""
        return self._fitting(most_bytes).cheapest(StepsWithin(self.candidates, most_bytes, False))

    def again_within(self, most_bytes: int, most_extra_macs: int | None) -> Schedule | None:
        """The same of `again`, that computes no more than so much again."""
        steps = StepsWithin(self.candidates, most_bytes, True)
        return self._fitting(most_bytes, most_extra_macs).cheapest(steps)

    def smallest(self, is_cut: bool, most_extra_macs: int | None) -> Schedule | None:
        """The schedule of least arena of `again`, or of `once`, that computes no more than so much again.

        None where there is none. More and more memory is allowed until that is enough: what takes much of it
        is not looked at.
        """
        most = self.candidates.most_whole
        for allowed in (int(most / 1.25**step) for step in range(12, -1, -1)):
            steps = StepsWithin(self.candidates, allowed, is_cut)
            found = self._fitting(allowed, most_extra_macs).smallest(steps)
            if found is not None:
                return found
        search = self.again if is_cut else self.once
        if search.is_impossible(most_extra_macs):
            return None
        return search.smallest(self.arena_of, most_extra_macs)

    def _fitting(self, most_bytes: int, most_extra_macs: int | None = None) -> Fitting:
        candidates = self.candidates
        return Fitting(most_bytes, self.plan_of, most_extra_macs, candidates.exact, candidates.limits)

    @property
    def _each_once(self) -> list[Candidate]:
        return [*self.candidates.whole, *self.candidates.traded, *self.candidates.stages]

    def _search(self, candidates: list[Candidate]) -> Search:
        return Search(candidates, len(self.candidates.nodes), self.candidates.limits)


def choose(graph: OperatorGraph, options: ScheduleOptions, tree: GrownStage | None = None) -> Choice | None:
    """The best schedule for what the user wants; None where there is nothing to schedule.

    tree: as `Candidates` has it, where stages of other graphs are remembered.
    Raises UnsupportedError where a schedule that was asked for by name is impossible.
    """
    space = Space(Candidates(graph, options.limits, tree))
    if not space.candidates.nodes:
        return None
    if options.form == "whole":
        return Choice((space,), space.quickest(None))
    if options.form == "stream":
        return Choice((space,), space.usual.longest_stages())
    if options.form == "patch":
        return Choice((space,), _patched(space, options))
    return _fitting(space, options) or _smallest(space, options)


def choose_within(
    graph: OperatorGraph, options: ScheduleOptions, tree: GrownStage | None = None
) -> Choice | None:
    """What `choose` gives where that is within `options.sram_bytes`, else None: sooner than the least memory.

    For no schedule by name, and the least instructions.
    """
    return _fitting(Space(Candidates(graph, options.limits, tree)), options)


def _fitting(space: Space, options: ScheduleOptions) -> Choice | None:
    """The schedule of fewest instructions that fits; None where none does, or the least memory is sought."""
    budget = options.sram_bytes
    if options.objective == "memory":
        return None
    if budget is None or space.fits(space.whole, budget):
        return Choice((space,), space.quickest(budget))
    once = space.once_within(budget)
    if once is not None:
        return Choice((space,), once)
    if options.most_extra == 0:
        return None
    most_extra = _most_extra_macs(space, options)
    spaces = []
    for tried in _with_repetitions(space):
        spaces.append(tried)
        fitting = tried.again_within(budget, most_extra)
        if fitting is not None:
            return Choice(tuple(spaces), fitting, is_cut=True)
    return None


def _smallest(space: Space, options: ScheduleOptions) -> Choice:
    """The schedule of least memory."""
    if options.most_extra == 0:
        least = space.smallest(False, 0)
        return Choice((space,), space.whole if least is None else least)
    most_extra = _most_extra_macs(space, options)
    spaces: list[Space] = []
    found: list[tuple[int, Space, Schedule]] = []
    for tried in _with_repetitions(space):
        spaces.append(tried)
        schedule = tried.smallest(True, most_extra)
        if schedule is None:
            break
        found.append((tried.arena_of(schedule), tried, schedule))
    _, chosen, best = min(found, key=lambda item: item[0])
    spaces.remove(chosen)
    return Choice((*spaces, chosen), best, is_cut=True)


def _most_extra_macs(space: Space, options: ScheduleOptions) -> int | None:
    macs = sum(candidate.macs for candidate in space.candidates.whole)
    return None if options.most_extra is None else int(options.most_extra * macs)


def _with_repetitions(space: Space) -> Iterator[Space]:
    """The space, and those with more and more blocks in two passes."""
    candidates = space.candidates
    blocks = blocks_of(candidates)
    yield space
    for count in range(1, len(blocks[: candidates.limits.blocks]) + 1):
        again = OperatorGraph.of(in_two_passes(candidates.graph, blocks[:count]))
        yield Space(Candidates(again, candidates.limits))


def _patched(space: Space, options: ScheduleOptions) -> Schedule:
    """The first operators patch by patch, all others on whole tensors."""
    if space.candidates.graph.row_input is not None:
        raise UnsupportedError("patches need the whole input: compile with --input-mode tensor")
    grid = Grid(options.patches, options.patches, by_layers=True)
    whole = space.candidates.whole
    stages = [stage for stage in space.candidates.runs if stage.first == 0]
    if options.split is not None:
        stages = [stage for stage in stages if stage.members == options.split]
        if not stages:
            raise UnsupportedError(
                f"the first {options.split} operators cannot run patch by patch: {_possible_splits(space)}"
            )
    patched = [cut for stage in stages if (cut := space.candidates.cut(stage, grid)) is not None]
    if not patched:
        raise UnsupportedError(f"no output can be cut into {grid} patches: {_most_patches(space, stages)}")
    schedules = [Schedule((cut, *whole[cut.last :])) for cut in patched]
    return min(schedules, key=lambda schedule: (schedule.live_bytes, schedule.instructions))


def _possible_splits(space: Space) -> str:
    splits = sorted({stage.members for stage in space.candidates.runs if stage.first == 0})
    return f"possible are {', '.join(map(str, splits))}" if splits else "no number of them can"


def _most_patches(space: Space, stages: list[Candidate]) -> str:
    shapes = [space.candidates.output_shape(stage) for stage in stages]
    most = max((min(shape[1:3]) for shape in shapes if len(shape) == 4), default=0)
    return f"at most {most}x{most} are possible" if most > 1 else "the first operators cannot run in parts"


def _front(schedules: list[Schedule]) -> tuple[Schedule, ...]:
    """Those that no other beats in memory and predicted instructions, and the first; least memory first."""
    kept = {
        schedule
        for schedule in schedules
        if not any(_beats(other, schedule) for other in schedules) or schedule is schedules[0]
    }
    return tuple(sorted(kept, key=lambda schedule: (schedule.live_bytes, schedule.instructions)))


def _beats(one: Schedule, other: Schedule) -> bool:
    ours = (one.live_bytes, one.instructions)
    theirs = (other.live_bytes, other.instructions)
    return ours != theirs and all(mine <= yours for mine, yours in zip(ours, theirs, strict=True))
