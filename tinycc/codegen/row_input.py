"""The C of a model that is fed row by row: a stage that stops where it has to wait for the next row.

What other stages keep in variables stands in the arena here: the row call that is next, 0 between two
inferences, and as the stage's scratch memory the next row of each member.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tinycc.codegen.c_text import c_type
from tinycc.plan import Plan

_FUNCTION = """/* {comment}.
 * Takes a row and goes on until it needs another (0) or is done (1). */
static int {name}(int8_t *bytes, const int8_t *row)
{{
    int32_t *const position = (int32_t *)(void *)(bytes + {position});
    {element} *const next = ({element} *)(void *)(bytes + {next});
    if (*position == 0) {{
        static const {element} first[{count}] = {{{first_rows}}};
        memcpy(next, first, sizeof first);
    }}
    for (int32_t call = *position; call < {calls}; ++call) {{
        const int32_t turn = {name}_order[call];
        const int32_t y = next[turn];
        if (turn == {member} && row == NULL) {{
            *position = call;
            return 0;
        }}
        switch (turn) {{
{cases}
        default:
            break;
        }}
        next[turn] = ({element})(y + 1);
        TINYCC_BARRIER();
    }}
    *position = 0;
    return 1;
}}"""


@dataclass(frozen=True)
class RowPlace:
    """What the templates say of the input's rows.

    position: offset in the arena of the row call that is next.
    next_row: offset of the number of the row that is next, of the C type `element`; unset at row call 0.
    offset, ring: where the ring of rows begins in the arena, and how many rows it has.
    """

    rows: int
    row_bytes: int
    position: int
    next_row: int
    element: str
    offset: int
    ring: int


def row_place(plan: Plan) -> RowPlace | None:
    """Where the next row goes; None where the input stands in memory whole."""
    fed = plan.row_input
    if fed is None:
        return None
    ring = plan.buffers[plan.inputs[0]]
    offset, element = _next_rows(plan)
    return RowPlace(
        rows=fed.rows,
        row_bytes=fed.row_bytes,
        position=plan.buffers[fed.position].offset,
        next_row=offset + fed.member * plan.steps[0].operator.scratch_alignment,
        element=element,
        offset=ring.offset,
        ring=ring.bytes // fed.row_bytes,
    )


def given_row(dtype: str) -> str:
    """The row that the caller hands over, as C of the right type."""
    return "row" if dtype == "int8" else f"(const {c_type(dtype)} *)(const void *)row"


def fed_stage(
    plan: Plan, *, name: str, comment: str, calls: int, first_rows: Sequence[int], cases: str
) -> str:
    """The function of the stage that takes the input's rows.

    calls: row calls of the stage. first_rows: the row that each member computes first.
    """
    fed = plan.row_input
    assert fed is not None
    offset, element = _next_rows(plan)
    return _FUNCTION.format(
        name=name, comment=comment, calls=calls, cases=cases, member=fed.member, element=element,
        position=plan.buffers[fed.position].offset, next=offset, count=len(first_rows),
        first_rows=", ".join(map(str, first_rows)),
    )  # fmt: skip


def _next_rows(plan: Plan) -> tuple[int, str]:
    """Offset and C type of the next row of each member of the stage that takes rows."""
    scratch = plan.buffers[plan.steps[0].scratch or ""]
    return scratch.offset, c_type({2: "int16", 4: "int32"}[scratch.alignment])
