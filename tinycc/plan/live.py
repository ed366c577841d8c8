"""How many bytes hold something, and when: at each step, and within a stage at each row call."""

from collections.abc import Mapping, Sequence

import numpy as np

from tinycc.ops.footprint import joint_bytes
from tinycc.ops.stage import Stage
from tinycc.plan.model import Buffer, Step


def held_bytes(index: int, step: Step, buffers: Mapping[str, Buffer]) -> np.ndarray:
    """The least memory that holds all that is live at a step, overlaps used.

    Returns int64 [row calls] for a stage, [1] for an operator by itself.
    """
    calls = len(step.operator.stream.order) if isinstance(step.operator, Stage) else 1
    live = [buffer for buffer in buffers.values() if buffer.first_step <= index <= buffer.last_step]
    output = step.outputs[0]
    held = joint_bytes(
        buffers[output].bytes, [(buffers[source].bytes, gap) for source, gap in step.overlaps.items()]
    )
    changes = np.zeros(calls + 1, np.int64)
    for buffer in live:
        if not buffer.moments and buffer.name != output and buffer.name not in step.overlaps:
            held += buffer.bytes
        for first, last in buffer.moments:
            changes[first] += buffer.bytes
            changes[last + 1] -= buffer.bytes
    return held + np.cumsum(changes)[:-1]


def live_bytes(steps: Sequence[Step], buffers: Mapping[str, Buffer]) -> list[int]:
    """For each step the least memory that holds all that is live in it at once, overlaps used."""
    return [int(held_bytes(index, step, buffers).max()) for index, step in enumerate(steps)]


def holds_at(buffer: Buffer, index: int, call: int) -> bool:
    """Whether a buffer holds something at a row call of a step; call 0 of an operator by itself."""
    if not buffer.first_step <= index <= buffer.last_step:
        return False
    return not buffer.moments or any(first <= call <= last for first, last in buffer.moments)
