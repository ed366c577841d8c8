"""Where buffers lie in the arena, as C.

States, which outlive an inference, are apart, from TINYCC_STATES on; all else, working memory, begins at
TINYCC_WORK. Only the model's header knows where that is: models that share their working memory begin with
it, and the states of all of them lie behind (see tinycc.linker).
"""

from tinycc.codegen.c_text import c_type
from tinycc.plan import Plan

STATES, WORK = "TINYCC_STATES", "TINYCC_WORK"


def buffer_offset(plan: Plan, name: str, more: int = 0) -> str:
    """How many bytes a buffer, or what lies so many bytes further on, is from the arena's begin."""
    buffer = plan.buffers[name]
    base, first = (STATES, plan.states_span[0]) if buffer.kind == "state" else (WORK, plan.work_span[0])
    place = buffer.offset - first + more
    if buffer.kind != "state" and not plan.state_values:
        return str(place)
    return f"{base} + {place}" if place else base


def arena_pointer(plan: Plan, buffer: str, dtype: str) -> str:
    """The address of a buffer, as C of the right type."""
    offset = buffer_offset(plan, buffer)
    address = "bytes" if offset == "0" else f"bytes + {offset}"
    if dtype in ("int8", "bool"):
        return address
    return f"({c_type(dtype)} *)(void *)({address})"
