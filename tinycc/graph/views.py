"""The view of each composite function, built once: that of a fallback lowers the function through TVM."""

import functools
from dataclasses import dataclass, replace

from tvm import relax

from tinycc import ops, tvm_adapter
from tinycc.ops.base import INSTRUCTION_SET, REPEATED, VARIANT, Operator
from tinycc.ops.kernel import PORTABLE
from tinycc.ops.overlap import OVERLAP_DISTANCES
from tinycc.ops.stage import Stage

# How many views are remembered, so that no module is kept for ever; more than the operators of a large model.
_MOST_VIEWS = 2048
# Attributes that passes add, of which what the function computes does not depend.
_CHOICES = frozenset({VARIANT, INSTRUCTION_SET, REPEATED, OVERLAP_DISTANCES})


def view_of(function: relax.Function) -> Operator:
    """The typed view of a composite function, as `tinycc.ops.view_of`; the same object for the same function.

    Raises UnsupportedError where the operator's kernel cannot do what the function asks for.
    """
    if tvm_adapter.attribute(function, "Composite") == f"tinycc.{Stage.kind}":
        return Stage.of_function(function, view_of)
    variant = str(tvm_adapter.attribute(function, VARIANT, PORTABLE))
    instruction_set = str(tvm_adapter.attribute(function, INSTRUCTION_SET, ""))
    is_repeated = bool(tvm_adapter.attribute(function, REPEATED))
    return _chosen(_read(_Computation.of(function)), variant, instruction_set, is_repeated)


@dataclass(frozen=True)
class _Computation:
    """What a composite function computes: its body, which functions share that differ in attributes only.

    attributes: those that are no choices, as text.
    """

    body: relax.Expr
    attributes: tuple[tuple[str, str], ...]
    function: relax.Function

    @classmethod
    def of(cls, function: relax.Function) -> "_Computation":
        items = function.attrs.items()
        attributes = sorted((key, str(value)) for key, value in items if key not in _CHOICES)
        return cls(function.body, tuple(attributes), function)

    def __hash__(self) -> int:
        return hash((self.body, self.attributes))

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Computation)
            and self.body.same_as(other.body)
            and self.attributes == other.attributes
        )


@functools.lru_cache(_MOST_VIEWS)
def _read(computation: _Computation) -> Operator:
    """The view as long as nothing is chosen."""
    function = computation.function
    for choice in _CHOICES:
        function = function.without_attr(choice)
    return ops.view_of(function)


@functools.lru_cache(_MOST_VIEWS)
def _chosen(view: Operator, variant: str, instruction_set: str, is_repeated: bool) -> Operator:
    """The view with what was chosen; one object for each choice, which keeps what it was asked for."""
    return replace(view, variant=variant, instruction_set=instruction_set, is_repeated=is_repeated)
