"""An independent check of every placement, run on every plan.

It knows nothing of how offsets were found: it replays the steps and looks at the bytes.
"""

from tinycc.ops.stage import Stage
from tinycc.plan.model import Buffer, Plan, Step


def check_plan(plan: Plan) -> None:
    """AssertionError if live buffers share bytes, one leaves the arena, or a dead or a wrong one is used."""
    _check_lifetimes(plan)
    _check_values(plan)
    for buffer in plan.buffers.values():
        where = f"buffer {buffer.name} at {buffer.offset}"
        assert buffer.offset >= 0 and buffer.offset + buffer.bytes <= plan.arena_bytes, (
            f"{where} leaves the arena"
        )
        assert buffer.offset % buffer.alignment == 0, f"{where} is not aligned to {buffer.alignment}"
    for index, step in enumerate(plan.steps):
        live = [buffer for buffer in plan.buffers.values() if buffer.first_step <= index <= buffer.last_step]
        for position, one in enumerate(live):
            for other in live[position + 1 :]:
                if not _share_bytes(one, other) or not _hold_at_once(one, other):
                    continue
                allowed = _may_overlap(plan, index, one, other) or _may_overlap(plan, index, other, one)
                assert allowed, f"{one.name} and {other.name} share bytes at step {index} ({step.name})"


def _check_lifetimes(plan: Plan) -> None:
    """Lifetimes are not taken at their word: each follows from who writes and reads a buffer."""
    end = len(plan.steps) - 1
    for name in (*plan.inputs, *plan.state_values):
        assert plan.buffers[name].first_step == 0, f"{name} is not alive from the start"
    for name in (*plan.outputs, *plan.state_values):
        assert plan.buffers[name].last_step >= end, f"{name} does not live to the end"
    for index, step in enumerate(plan.steps):
        needed = step.operator.scratch_bytes
        scratch = plan.buffers.get(step.scratch or "")
        held = scratch.bytes if scratch is not None else 0
        assert held >= needed, f"{step.name} has {held} bytes of scratch memory of the {needed} it needs"
        for name in filter(None, (*step.inputs, *step.outputs, step.scratch)):
            assert name in plan.buffers, f"{name}, used by {step.name}, is no buffer"
            buffer = plan.buffers[name]
            assert buffer.first_step <= index <= buffer.last_step, (
                f"{name} is not alive at step {index} ({step.name})"
            )
        if isinstance(step.operator, Stage):
            _check_moments(plan, step, step.operator)


def _check_values(plan: Plan) -> None:
    """What a buffer holds when it is read is what the model reads: a state's old value, or its new one."""
    holds = {name: name for name in (*plan.inputs, *plan.state_values)}
    for step in plan.steps:
        for name, value in zip(step.inputs, step.reads, strict=True):
            assert name is None or holds[name] == value, (
                f"{step.name} reads {value} in {name}, which holds {holds[name]} by then"
            )
        for index, name in enumerate(step.inputs[: len(step.inputs) - step.operator.state_count]):
            distance = step.operator.overlap_distance(index) if name in step.outputs else 0
            assert distance is not None and distance <= 0, f"{step.name} overwrites {name} as it reads it"
        holds |= dict(zip(step.outputs, step.writes, strict=True))
    for name, value in plan.results:
        assert holds[name] == value, f"{name} holds {holds[name]} in the end, not {value}"


def _check_moments(plan: Plan, step: Step, stage: Stage) -> None:
    """In a stage, what a row call writes or reads holds something then."""
    for call, (turn, reads) in enumerate(zip(stage.stream.order, stage.stream.reads, strict=True)):
        member = step.members[turn]
        read = [member.inputs[stage.sources[turn].index(access.tensor)] for access in reads]
        for name in (*read, *member.outputs, member.scratch):
            moments = plan.buffers[name].moments if name is not None else ()
            assert not moments or any(first <= call <= last for first, last in moments), (
                f"{name} holds nothing at row call {call} of {step.name} ({member.name})"
            )


def _hold_at_once(one: Buffer, other: Buffer) -> bool:
    """Whether there is a row call in which both hold something; all there are, outside of stages."""
    if not one.moments or not other.moments:
        return True
    calls = [
        {call for first, last in buffer.moments for call in range(first, last + 1)} for buffer in (one, other)
    ]
    return not calls[0].isdisjoint(calls[1])


def _share_bytes(one: Buffer, other: Buffer) -> bool:
    return one.offset < other.offset + other.bytes and other.offset < one.offset + one.bytes


def _may_overlap(plan: Plan, index: int, output: Buffer, source: Buffer) -> bool:
    step = plan.steps[index]
    gap = source.offset - output.offset
    return (
        output.name in step.outputs
        and output.first_step == index
        and output.name not in plan.state_values
        and source.last_step == index
        and source.name not in plan.outputs
        and source.name in step.overlaps
        and gap >= step.overlaps[source.name]
        and (gap == step.overlaps[source.name] or not step.operator.kernel.overlaps_exactly)
    )
