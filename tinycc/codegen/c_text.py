"""Values, types and remarks as C text."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from tinycc.ops.loop_nest import c_float

C_TYPES = {
    "int8": "int8_t",
    "bool": "int8_t",
    "uint8": "uint8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "uint16": "uint16_t",
    "uint32": "uint32_t",
    "uint64": "uint64_t",
    "float32": "float",
    "float64": "double",
}

_WIDTH = 108


def c_type(dtype: str) -> str:
    """The C type of an element."""
    return C_TYPES[dtype]


def c_comment(text: str) -> str:
    """Any text as what may stand within a comment, on one line.

    What is not printable ASCII, which compilers may read in another encoding, and backslashes are written as
    their code points. Signs that together begin or end a comment, or a trigraph, stand apart.
    """
    escaped = re.sub(r"[^ -~]|\\", lambda found: f"\\u{ord(found[0]):04x}", text)
    return re.sub(r"[/*?](?=[/*?])", r"\g<0> ", escaped)


def c_value(value: int | float) -> str:
    """A number as a C literal of its own type."""
    if isinstance(value, int | np.integer):
        number = int(value)
        if number == -(2**31):
            return "INT32_MIN"
        if not -(2**31) <= number < 2**31:
            return f"INT64_C({number})"
        return str(number)
    return c_float(value)


def c_array(name: str, values: np.ndarray) -> str:
    """A constant array in flash; its shape is told in a comment."""
    flat = np.ascontiguousarray(values).reshape(-1)
    items = [c_value(item) for item in flat.tolist()]
    body = "\n".join(_lines(items))
    shape = "x".join(map(str, values.shape)) or "1"
    return f"/* {shape} */\nstatic const {c_type(str(values.dtype))} {name}[{flat.size}] = {{\n{body}\n}};"


def _lines(items: Sequence[str]) -> list[str]:
    """Items with commas between, in as few indented lines; textwrap takes five times as long for weights."""
    lines, line = [], "   "
    for text in (*(f" {item}," for item in items[:-1]), f" {items[-1]}"):
        if len(line) + len(text) > _WIDTH:
            lines.append(line)
            line = "   "
        line += text
    return [*lines, line]


def c_struct(type_name: str, name: str, fields: Mapping[str, str]) -> str:
    """A constant structure, its fields named."""
    body = "\n".join(f"    .{field} = {value}," for field, value in fields.items())
    return f"static const {type_name} {name} = {{\n{body}\n}};"
