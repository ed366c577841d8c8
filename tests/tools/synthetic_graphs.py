"""Graphs of operators that are nothing but what they read and make, and how many bytes that takes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import tvm
from tvm import relax

from tinycc.graph import Node, OperatorGraph, Value
from tinycc.ops.base import Operator
from tinycc.ops.composite import Composite
from tinycc.ops.tensor import Tensor


@dataclass(frozen=True, eq=False)
class _Sized(Operator):
    """An operator that computes nothing."""

    scratch: int = field(default=0, kw_only=True)

    kind = "sized"

    @classmethod
    def patterns(cls) -> list[relax.transform.FusionPattern]:
        return []

    @classmethod
    def from_composite(cls, composite: Composite) -> "_Sized":
        raise NotImplementedError

    @property
    def scratch_bytes(self) -> int:
        return self.scratch


@dataclass(frozen=True)
class Sized:
    """reads: earlier operators by index, or parameters as -1, -2, ... distances: of reads, by place."""

    bytes: int
    reads: tuple[int, ...]
    scratch: int = 0
    distances: dict[int, int] = field(default_factory=dict)


def synthetic_graph(
    parameters: Sequence[int], operators: Sequence[Sized], kept: Sequence[int]
) -> OperatorGraph:
    """A graph whose parameters take so many bytes. kept: operators whose results it returns."""

    def tensor_type(size: int) -> relax.Type:
        return relax.TensorType((1, size), "int8")

    variables = [relax.Var(f"p{index}", tensor_type(size)) for index, size in enumerate(parameters)]
    main = relax.Function(variables, relax.SeqExpr([], variables[0]), variables[0].ty)
    values: list[Value] = []
    nodes = []
    for index, operator in enumerate(operators):
        read = [variables[-1 - item] if item < 0 else values[item] for item in operator.reads]
        inputs = tuple(Tensor((1, 1), "int8", parameter=place) for place in range(len(read)))
        view = _Sized(inputs, (Tensor((1, operator.bytes), "int8"),), scratch=operator.scratch)
        variable = relax.DataflowVar(f"v{index}", tensor_type(operator.bytes))
        call = relax.Call(tvm.ir.GlobalVar("sized"), read)
        reads = tuple(dict.fromkeys(read))
        nodes.append(Node(index, variable, call, view, reads, tuple(read), (variable,), operator.distances))
        values.append(variable)
    known = {variable: variable for variable in (*variables, *values)}
    return OperatorGraph(
        tvm.IRModule({"main": main}), tuple(nodes), known, {}, tuple(values[index] for index in kept)
    )
