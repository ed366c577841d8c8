"""An input that is fed row by row: what stands between two rows of it."""

from collections.abc import Sequence

from tinycc.errors import UnsupportedError
from tinycc.ops.stage import Stage
from tinycc.ops.tensor import ITEM_BYTES
from tinycc.plan.model import Buffer, RowInput, Step

UNDER_WAY = "under_way"
UNDER_WAY_BYTES = 1


def add_row_input(steps: Sequence[Step], buffers: dict[str, Buffer]) -> RowInput:
    """The input of steps the first of which is a stage that takes rows from outside.

    Whether an inference is under way is added to the buffers: it lives always, as rows come between two calls
    of the model.
    Raises UnsupportedError where the first step takes no rows: an operator that does not need the input would
    run while the caller writes it.
    """
    stage = steps[0].operator
    if not isinstance(stage, Stage) or stage.awaited is None:
        raise UnsupportedError(
            f"the input cannot come row by row: {steps[0].name} runs before it is read; "
            "compile with --input-mode tensor"
        )
    call, member = stage.calls[stage.awaited], steps[0].members[stage.awaited]
    buffers[UNDER_WAY] = Buffer(UNDER_WAY, "state", UNDER_WAY_BYTES, UNDER_WAY_BYTES, 0, len(steps) - 1)
    row_bytes = call.row_elements * ITEM_BYTES[member.operator.outputs[0].dtype]
    return RowInput(stage.awaited, call.rows, row_bytes, UNDER_WAY)
