"""The C of a model that is fed row by row: a stage that stops where it has to wait for the next row.

What other stages keep in variables, the call and the rows that are next, stands in the arena here.
"""

from dataclasses import dataclass

from tinycc.codegen.c_text import c_type
from tinycc.plan import Plan, Step

_DTYPES = {2: "int16", 4: "int32"}

_FUNCTION = """/* {comment}.
 * Takes a row and goes on until it needs another (0) or is done (1). */
static int {name}(int8_t *bytes, const int8_t *row)
{{
    {element} *const position = ({element} *)(void *)(bytes + {position});
    {element} *const next = position + 1;
    for (int32_t call = position[0]; call < {calls}; ++call) {{
        const int32_t turn = {table}[call];
        const int32_t y = next[turn];
        if (turn == {member} && row == NULL) {{
            position[0] = ({element})call;
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
    memset(position, 0, {count} * sizeof *position);
    return 1;
}}"""


@dataclass(frozen=True)
class RowPlace:
    """What the templates say of the input's rows.

    next_row: offset in the arena of the number of the row that is next, an integer of the C type `element`.
    offset, ring: where the ring of rows begins in the arena, and how many rows it has.
    """

    rows: int
    row_bytes: int
    element: str
    next_row: int
    offset: int
    ring: int


def row_place(plan: Plan) -> RowPlace | None:
    """Where the next row goes; None where the input stands in memory whole."""
    fed = plan.row_input
    if fed is None:
        return None
    ring, position = plan.buffers[plan.inputs[0]], plan.buffers[fed.position]
    return RowPlace(
        rows=fed.rows,
        row_bytes=fed.row_bytes,
        element=c_type(_DTYPES[position.alignment]),
        next_row=position.offset + (1 + fed.member) * position.alignment,
        offset=ring.offset,
        ring=ring.bytes // fed.row_bytes,
    )


def given_row(dtype: str) -> str:
    """The row that the caller hands over, as C of the right type."""
    return "row" if dtype == "int8" else f"(const {c_type(dtype)} *)(const void *)row"


def fed_stage(plan: Plan, step: Step, *, comment: str, table: str, calls: int, cases: str) -> str | None:
    """The function of the stage that takes the input's rows; None for any other stage."""
    fed = plan.row_input
    if fed is None or step is not plan.steps[0]:
        return None
    position = plan.buffers[fed.position]
    return _FUNCTION.format(
        name=step.name, comment=comment, table=table, calls=calls, cases=cases, member=fed.member,
        element=c_type(_DTYPES[position.alignment]), position=position.offset, count=1 + len(step.members),
    )  # fmt: skip
