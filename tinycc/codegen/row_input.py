"""The C of a model that is fed row by row: a stage that stops where it has to wait for the next row.

What other stages keep in variables stands in the arena here, as the stage's scratch memory: the next row of
each member. Whether it holds anything, an inference being under way, is told by a byte that always lives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tinycc.codegen.addresses import buffer_offset
from tinycc.codegen.c_text import c_type
from tinycc.plan import Plan

_FUNCTION = """/* {comment}.
 * Takes a row and goes on until it needs another (0) or is done (1). */
static TINYCC_NOINLINE int {name}(int8_t *bytes, const {row} *row)
{{
    {element} *const next = ({element} *)(void *)(bytes + {next});
    if (!bytes[{under_way}]) {{
        bytes[{under_way}] = 1;
{first}
    }}
    goto {entry};
{turns}
}}"""

_FINISH = """if (next[{member}] < {rows}) {{
    goto {awaited};
}}
bytes[{under_way}] = 0;
return 1;"""


@dataclass(frozen=True)
class RowPlace:
    """What the templates say of the input's rows.

    under_way: offset in the arena, as C, of the byte that is not 0 after the first row of an inference.
    next_row: that of the number of the row that is next, of the C type `element`; unset before.
    offset, ring: that of the ring of rows, and how many rows it has.
    """

    rows: int
    row_bytes: int
    under_way: str
    next_row: str
    element: str
    offset: str
    ring: int


def row_place(plan: Plan) -> RowPlace | None:
    """Where the next row goes; None where the input stands in memory whole."""
    fed = plan.row_input
    if fed is None:
        return None
    ring = plan.buffers[plan.inputs[0]]
    return RowPlace(
        rows=fed.rows,
        row_bytes=fed.row_bytes,
        under_way=buffer_offset(plan, fed.under_way),
        next_row=_next_row(plan, fed.member),
        element=_row_type(plan),
        offset=buffer_offset(plan, plan.inputs[0]),
        ring=ring.bytes // fed.row_bytes,
    )


def fed_stage(plan: Plan, *, name: str, comment: str, first_rows: Sequence[int], turns: str) -> str:
    """The function of the stage that takes the input's rows.

    first_rows: the row that each member computes first. turns: C of the members' turns.
    """
    fed = plan.row_input
    assert fed is not None
    first = [f"memset(next, 0, {len(first_rows)} * sizeof *next);"]
    first += [f"next[{member}] = {row};" for member, row in enumerate(first_rows) if row]
    return _FUNCTION.format(
        name=name, comment=comment, turns=turns, element=_row_type(plan),
        next=_next_row(plan, 0), entry=plan.steps[0].members[fed.member].name,
        under_way=buffer_offset(plan, fed.under_way),
        first="\n".join(f"        {line}" for line in first), row=c_type(plan.input_tensors[0].dtype),
    )  # fmt: skip


def fed_finish(plan: Plan) -> str:
    """What the stage does once its last row is computed: rows that nobody asks for are waited for, too."""
    fed = plan.row_input
    assert fed is not None
    awaited = plan.steps[0].members[fed.member].name
    under_way = buffer_offset(plan, fed.under_way)
    return _FINISH.format(member=fed.member, rows=fed.rows, awaited=awaited, under_way=under_way)


def counted(plan: Plan, rows: str) -> str:
    """C of a number of rows as the stage remembers it."""
    return f"({_row_type(plan)})({rows})"


def _next_row(plan: Plan, member: int) -> str:
    """The offset of the number of the next row of a member of the stage that takes rows, as C."""
    step = plan.steps[0]
    return buffer_offset(plan, step.scratch or "", member * step.operator.scratch_alignment)


def _row_type(plan: Plan) -> str:
    """The C type of these numbers."""
    return c_type({2: "int16", 4: "int32"}[plan.steps[0].operator.scratch_alignment])
