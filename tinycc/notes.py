"""What a pass has to tell the user about a module, kept as an attribute of `main`."""

import tvm
from tvm import relax

from tinycc import tvm_adapter

ATTRIBUTE = "tinycc.notes"


def with_note(function: relax.Function, note: str) -> relax.Function:
    """`main` with one sentence more for the report."""
    return function.with_attr(ATTRIBUTE, [*tvm_adapter.attribute(function, ATTRIBUTE, ()), note])


def notes_of(module: tvm.IRModule) -> list[str]:
    """The sentences, in order."""
    return [str(note) for note in tvm_adapter.attribute(module["main"], ATTRIBUTE, ())]
