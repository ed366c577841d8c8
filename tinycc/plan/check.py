"""An independent check of every placement, run on every plan.

It knows nothing of how offsets were found: it replays the steps and looks at the bytes.
"""

from tinycc.plan.model import Buffer, Plan


def check_plan(plan: Plan) -> None:
    """AssertionError if two live buffers share bytes they must not share, or one leaves the arena."""
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
    return (
        output.name in step.outputs
        and output.first_step == index
        and source.last_step == index
        and source.name not in plan.outputs
        and source.name in step.overlaps
        and output.offset + step.overlaps[source.name] <= source.offset
    )
