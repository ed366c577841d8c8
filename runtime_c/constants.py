"""Numbers that the compiler shares with the kernels: a header has them, and this reads them there."""

import re
from pathlib import Path

# A `#define` or an enumerator with an integer of its own.
_DEFINITION = re.compile(r"^(?:#define|   ) (TINYCC_\w+) (?:= )?(\w+),?(?: */\*.*)?$", re.MULTILINE)


def _constants() -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for header in (Path(__file__).parent / "kernels").rglob("*.h"):
        for name, value in _DEFINITION.findall(header.read_text(encoding="utf-8")):
            if value[0].isdigit():
                found.setdefault(name, set()).add(int(value, 0))
    return found


_CONSTANTS = _constants()


def constant(name: str) -> int:
    """The value of a macro or an enumerator of the kernels; ValueError where it is not one integer."""
    values = _CONSTANTS.get(name, set())
    if len(values) != 1:
        raise ValueError(f"kernels do not define {name} as one integer")
    return next(iter(values))
