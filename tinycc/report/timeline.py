"""A plan as report.json tells it: operators in order, tensors with their times, and where memory is short.

An operator in a stage runs between the others of its stage, a row at a time. Its index is its place among all
operators, those of stages included, so that the same operator has the same index in every schedule.
"""

import itertools
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tinycc.codegen.operator_code import describe
from tinycc.ops.stage import Stage
from tinycc.ops.tensor import ITEM_BYTES
from tinycc.plan import Buffer, Plan, Step
from tinycc.plan.live import held_bytes, holds_at, live_bytes
from tinycc.schedule.costs import runs_of

Entry = dict[str, Any]
# Steps that are told of, the fullest first.
MOST_BOTTLENECKS = 5


@dataclass(frozen=True)
class Row:
    """A line of the operator table: a step of its own, or a member of a stage.

    step: its index, or its stage's.
    traced: how often a run tells of its output, and how much of it each time.
    """

    operator: Step
    step: int
    stage: str | None
    traced: tuple[int, int]


class Timeline:
    """What a plan does and holds, by operator."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.rows = _rows(plan)
        # The first and the last operator of each step.
        self.first = {row.step: index for index, row in reversed(list(enumerate(self.rows)))}
        self.last = {row.step: index for index, row in enumerate(self.rows)}
        self._predicted = [
            run.predicted_instructions for step in plan.steps for run in runs_of(step.operator)
        ]
        self._held = [held_bytes(index, step, plan.buffers) for index, step in enumerate(plan.steps)]

    def describe(self) -> Entry:
        """The entries of report.json that are the schedule's."""
        bottlenecks = self.bottlenecks()
        peak = bottlenecks[0] if bottlenecks else {"operator": 0, "name": ""}
        macs = sum(row.operator.operator.macs for row in self.rows if not row.operator.operator.is_repeated)
        return {
            "arena_bytes": self.plan.arena_bytes,
            "lower_bound_bytes": self.plan.lower_bound_bytes,
            "optimal": self.plan.optimal,
            "solver": self.plan.solver,
            "macs": macs,
            "dead_macs": self.plan.dead_macs,
            "extra_macs": sum(step.operator.extra_macs for step in self.plan.steps),
            "peak_step": peak["operator"],
            "peak_operator": peak["name"],
            "operators": [self._operator(index, row) for index, row in enumerate(self.rows)],
            "stages": self._stages(),
            "tensors": self._tensors(),
            "bottlenecks": bottlenecks,
        }

    def bottlenecks(self) -> list[Entry]:
        """The steps that need most memory, the worst first, each at its fullest moment.

        row_call, row_calls: in a stage, when that is; None otherwise. tensors: what is live then.
        """
        peaks = [int(held.max()) for held in self._held]
        found: list[Entry] = []
        for index in sorted(range(len(peaks)), key=lambda index: -peaks[index])[:MOST_BOTTLENECKS]:
            step, call = self.plan.steps[index], int(self._held[index].argmax())
            stage = step.operator if isinstance(step.operator, Stage) else None
            place = self.first[index] + (stage.stream.order[call] if stage else 0)
            found.append({
                "operator": place,
                "name": self.rows[place].operator.name,
                "stage": step.name if stage else None,
                "row_call": call if stage else None,
                "row_calls": len(stage.stream.order) if stage else None,
                "live_bytes": peaks[index],
                "tensors": [
                    name for name, buffer in self.plan.buffers.items() if holds_at(buffer, index, call)
                ],
            })  # fmt: skip
        return found

    def _live_bytes(self, index: int, row: Row) -> int:
        """The most that is live while an operator runs; of a stage's member, during its own row calls."""
        held, stage = self._held[row.step], self.plan.steps[row.step].operator
        if not isinstance(stage, Stage):
            return int(held[0])
        return int(held[np.array(stage.stream.order) == index - self.first[row.step]].max())

    def _operator(self, index: int, row: Row) -> Entry:
        step = row.operator
        output = step.operator.outputs[0]
        # What only moves or chooses has its operand's quantization, whatever that is.
        quantizes = output.scale not in (None, *(source.scale for source in step.operator.inputs[:1]))
        buffers = self.plan.buffers
        place = buffers[step.outputs[0]]
        overlapped = next((name for name in step.overlaps if _share_bytes(buffers[name], place)), None)
        return {
            "name": step.name,
            "kind": step.operator.kind,
            "description": describe(step.operator),
            "variant": step.operator.variant,
            "is_repeated": step.operator.is_repeated,
            "output_shape": list(output.shape),
            "output_dtype": output.dtype,
            "output_scale": output.real_scale if quantizes else None,
            "output_zero_point": int(output.zero_point) if quantizes else None,
            "macs": step.operator.macs,
            "predicted_instructions": self._predicted[index],
            "scratch_bytes": buffers[step.scratch].bytes if step.scratch else 0,
            "live_bytes": self._live_bytes(index, row),
            "stage": row.stage,
            "calls": row.traced[0],
            "call_bytes": row.traced[1],
            "in_place": overlapped,
            "overlap_distance": step.overlaps[overlapped] if overlapped else None,
        }

    def _stages(self) -> list[Entry]:
        return [
            {
                "name": step.name,
                "first": self.first[index],
                "last": self.last[index],
                "grid": str(step.operator.grid),
                "row_calls": len(step.operator.stream.order),
                "extra_macs": step.operator.extra_macs,
                "live_bytes": int(self._held[index].max()),
            }
            for index, step in enumerate(self.plan.steps)
            if isinstance(step.operator, Stage)
        ]

    def _tensors(self) -> list[Entry]:
        costs = self._costs()
        return [
            {
                "name": buffer.name,
                "bytes": buffer.bytes,
                "offset": buffer.offset,
                **self._uses(buffer),
                "kind": buffer.kind,
                **self._content(buffer.name),
                "cost_bytes": costs.get(buffer.name, 0),
                "ring": self._ring(buffer),
            }
            for buffer in self.plan.buffers.values()
        ]

    def _uses(self, buffer: Buffer) -> Entry:
        """The first and the last operator that finds something in a buffer."""
        if not self.rows:
            return {"first_use": 0, "last_use": 0}
        first, last = self.first[buffer.first_step], self.last[buffer.last_step]
        if buffer.moments:
            uses = [index for index in range(first, last + 1) if buffer.name in _touched(self.rows[index])]
            first, last = uses[0], uses[-1]
        return {"first_use": first, "last_use": last}

    def _costs(self) -> dict[str, int]:
        """Of what is live at the peak: how much less memory would do if it took none."""
        plan = self.plan
        if not plan.steps:
            return {}
        worst = max(range(len(self._held)), key=lambda index: int(self._held[index].max()))
        call = int(self._held[worst].argmax())
        costs = {}
        for name, buffer in plan.buffers.items():
            if holds_at(buffer, worst, call):
                without = {**plan.buffers, name: replace(buffer, bytes=0)}
                costs[name] = plan.lower_bound_bytes - max(live_bytes(plan.steps, without))
        return costs

    def _ring(self, buffer: Buffer) -> Entry | None:
        """Of a buffer within a stage: when it holds something, in row calls; None for others.

        rows, columns: of its tensor how many it holds of how many; None where it is scratch memory.
        """
        if not buffer.moments:
            return None
        step = self.plan.steps[buffer.first_step]
        stage = step.operator
        assert isinstance(stage, Stage)
        ring: Entry = {"stage": step.name, "row_calls": [buffer.moments[0][0], buffer.moments[-1][1]]}
        for place, member in enumerate(step.members):
            if buffer.name in member.outputs:
                rows = stage.stream.ring_rows(len(stage.inputs) + place)
                columns = [stage.ring_columns(place), member.operator.outputs[0].width]
                return ring | {"rows": [rows, stage.calls[place].rows], "columns": columns}
        return ring | {"rows": None, "columns": None}

    def _content(self, name: str) -> Entry:
        """Shape and dtype of what a buffer holds; of the first tensor where it holds several views."""
        plan = self.plan
        for step in itertools.chain.from_iterable((step, *step.members) for step in plan.steps):
            for buffer, tensor in zip(step.outputs, step.operator.outputs, strict=True):
                if buffer == name:
                    return {"shape": list(tensor.shape), "dtype": tensor.dtype}
        for buffer, tensor in zip(plan.inputs, plan.input_tensors, strict=True):
            if buffer == name:
                return {"shape": list(tensor.shape), "dtype": tensor.dtype}
        return {"shape": [], "dtype": ""}


def _rows(plan: Plan) -> list[Row]:
    """All operators in order, stages opened."""
    rows = []
    for index, step in enumerate(plan.steps):
        if isinstance(step.operator, Stage):
            counts = Counter(step.operator.stream.order)
            for position, (member, call) in enumerate(zip(step.members, step.operator.calls, strict=True)):
                size = call.row_elements * ITEM_BYTES[member.operator.outputs[0].dtype]
                rows.append(Row(member, index, step.name, (counts[position], size)))
        else:
            rows.append(Row(step, index, None, (1, step.operator.outputs[0].bytes)))
    return rows


def _touched(row: Row) -> tuple[str | None, ...]:
    step = row.operator
    return (*step.inputs, *step.outputs, step.scratch)


def _share_bytes(one: Buffer, other: Buffer) -> bool:
    return one.offset < other.offset + other.bytes and other.offset < one.offset + one.bytes
