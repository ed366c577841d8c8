"""Whose turn it is in a stage, decided as it runs.

The last member is asked for a row. A member whose row needs rows of another that are not there asks that one
instead; one that lacks nothing computes its row. Then it is the turn of the nearest member that every demand
for that row came through: what those beyond it wait for has not changed. So nothing has to be remembered but
how many rows each member has computed, and the order is that of `tinycc.ops.streaming.simulate`.
"""

from collections.abc import Callable
from dataclasses import replace

from tinycc.codegen.operator_code import first_row
from tinycc.ops.kernel_call import AccumulatingCall, StreamedCall
from tinycc.ops.row_window import RowWindow
from tinycc.ops.stage import Stage
from tinycc.ops.streaming import rows_read


def askers(stage: Stage) -> list[int]:
    """For each member the one whose turn it is after it: the last one's is the last one's again.

    Rows from outside come unasked as well, so that all is asked for anew after each.
    """
    last, count = len(stage.members) - 1, len(stage.inputs)
    found = [last] * len(stage.members)
    for member in reversed(range(last)):
        asking = {reader for reader, sources in enumerate(stage.sources) if count + member in sources}
        while len(asking) > 1:
            nearest = min(asking)
            asking = asking - {nearest} | {found[nearest]}
        if member != stage.awaited:
            [found[member]] = asking
    return found


def lacking(stage: Stage, member: int) -> list[tuple[int, str]]:
    """The members whose rows a member reads, in order, with how many its row y asks for, as C."""
    call, count = stage.calls[member], len(stage.inputs)
    return [
        (source - count, rows_asked(call, window))
        for window, source in zip(call.windows, stage.sources[member], strict=False)
        if source is not None and source >= count
    ]


def rows_asked(call: StreamedCall, window: RowWindow) -> str:
    """How many rows, from the first on, of the input under `window` row y asks for, as C; 0 or less for none.

    Of the forms that are right for all rows, the simplest.
    """
    if isinstance(call, AccumulatingCall):
        return "y + 1"
    if window.border is not None:
        return f"{first_row(window, call.rows)} + 1"
    spans = rows_read(window, call.rows)
    extent = (window.rows - 1) * window.dilation + 1
    end = first_row(replace(window, pad_top=window.pad_top - extent), call.rows)

    def is_right(rows: Callable[[int], int]) -> bool:
        asked = (max(0, rows(window.first_row(y) + extent)) for y in range(call.rows))
        return all(count == (span[1] + 1 if span else 0) for count, span in zip(asked, spans, strict=True))

    if is_right(lambda rows: rows):
        return end
    if is_right(lambda rows: min(rows, window.input_rows)):
        return f"tinycc_min({end}, {window.input_rows})"
    geometry = f"{window.dilation}, {window.rows}, {window.input_rows}"
    return f"tinycc_rows_asked({first_row(window, call.rows)}, {geometry})"
