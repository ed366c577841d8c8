"""Choosing the schedule of a module: the options of a user, answered by the search."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import tvm

from tinycc.errors import UnsupportedError
from tinycc.ops.stage import Grid
from tinycc.plan import build_plan
from tinycc.schedule.candidates import Candidate, Candidates, staged
from tinycc.schedule.options import ScheduleOptions
from tinycc.schedule.search import Schedule, Search


@dataclass(frozen=True)
class Choice:
    """A schedule and the module it belongs to; `front` are those that were considered, least memory first."""

    space: "Space"
    schedule: Schedule
    front: tuple[Schedule, ...]

    @property
    def module(self) -> tvm.IRModule:
        """The module, scheduled."""
        return staged(self.space.candidates, list(self.schedule.candidates))


@dataclass(eq=False)
class Space:
    """All schedules of a module, without and with elements that are computed again."""

    candidates: Candidates
    _arenas: dict[Schedule, int] = field(default_factory=dict)

    def arena_of(self, schedule: Schedule) -> int:
        """The arena that the planner needs for a schedule."""
        if schedule not in self._arenas:
            plan = build_plan(staged(self.candidates, list(schedule.candidates)))
            self._arenas[schedule] = plan.arena_bytes
        return self._arenas[schedule]

    @property
    def whole(self) -> Schedule:
        """Every operator on whole tensors."""
        return Schedule(tuple(self.candidates.whole))

    @cached_property
    def once(self) -> Search:
        """Whole tensors and stages that compute everything once."""
        return self._search([*self.candidates.whole, *self.candidates.stages])

    @cached_property
    def again(self) -> Search:
        """These, and stages cut into strips."""
        return self._search([*self.candidates.whole, *self.candidates.stages, *self.candidates.strips])

    def _search(self, candidates: list[Candidate]) -> Search:
        return Search(candidates, len(self.candidates.bindings))


def choose(module: tvm.IRModule, options: ScheduleOptions) -> Choice | None:
    """The best schedule for what the user wants; None where there is nothing to schedule.

    Raises UnsupportedError where a schedule that was asked for by name is impossible.
    """
    space = Space(Candidates(module))
    if not space.candidates.bindings:
        return None
    forms: dict[str, Callable[[Space, ScheduleOptions], Schedule]] = {
        "whole": lambda space, _: space.whole,
        "stream": lambda space, _: space.once.longest_stages(),
        "patch": _patched,
        "auto": _best,
    }
    schedule = forms[options.form](space, options)
    searches = [space.once] + ([space.again] if "again" in vars(space) else [])
    front = _front([schedule, *(item for search in searches for item in search.front())])
    return Choice(space, schedule, front)


def _best(space: Space, options: ScheduleOptions) -> Schedule:
    """What the objective asks for."""
    macs = sum(candidate.macs for candidate in space.candidates.whole)
    most_extra = None if options.most_extra is None else int(options.most_extra * macs)
    search = space.once if most_extra == 0 else space.again
    if options.objective == "memory":
        return search.smallest(space.arena_of, most_extra)
    budget = options.sram_bytes
    if budget is None or space.arena_of(space.whole) <= budget:
        return space.whole
    return (
        space.once.fitting(budget, space.arena_of)
        or search.fitting(budget, space.arena_of, most_extra)
        or search.smallest(space.arena_of, most_extra)
    )


def _patched(space: Space, options: ScheduleOptions) -> Schedule:
    """The first operators patch by patch, all others on whole tensors."""
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
    return min(schedules, key=lambda schedule: (schedule.live_bytes, schedule.macs))


def _possible_splits(space: Space) -> str:
    splits = sorted({stage.members for stage in space.candidates.runs if stage.first == 0})
    return f"possible are {', '.join(map(str, splits))}" if splits else "no number of them can"


def _most_patches(space: Space, stages: list[Candidate]) -> str:
    shapes = [space.candidates.output_shape(stage) for stage in stages]
    most = max((min(shape[1:3]) for shape in shapes if len(shape) == 4), default=0)
    return f"at most {most}x{most} are possible" if most > 1 else "the first operators cannot run in parts"


def _front(schedules: list[Schedule]) -> tuple[Schedule, ...]:
    """Those that no other beats in memory, MACs and row calls, and the first; least memory first."""
    kept = {
        schedule
        for schedule in schedules
        if not any(_beats(other, schedule) for other in schedules) or schedule is schedules[0]
    }
    return tuple(sorted(kept, key=lambda schedule: (schedule.live_bytes, schedule.macs, schedule.row_calls)))


def _beats(one: Schedule, other: Schedule) -> bool:
    ours = (one.live_bytes, one.macs, one.row_calls)
    theirs = (other.live_bytes, other.macs, other.row_calls)
    return ours != theirs and all(mine <= yours for mine, yours in zip(ours, theirs, strict=True))
