"""Functions of one int8 tensor, element by element, as a table."""

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np
from tvm import relax
from tvm.relax.dpl import DFPattern, is_const, is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.ops.base import INT8, ElementTypes, KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.lookup_table import BINARY, INT8_VALUES, UNARY, Tree, table_of
from tinycc.ops.patterns import dequantized, quantized

# Enough for GELU written out in single operators, its tanh approximation included.
_DEPTH = 8


def _any_of(names: list[str]) -> DFPattern:
    patterns = [is_op(f"relax.{name}") for name in names]
    return reduce(lambda a, b: a | b, patterns)


def _function(tensor: DFPattern, depth: int) -> DFPattern:
    """A call of at most `depth` levels of operators whose leaves are `tensor`, dequantized, and constants."""

    def operand() -> DFPattern:
        leaf = dequantized(tensor) | is_const()
        return leaf | _function(tensor, depth - 1) if depth > 1 else leaf

    # A pattern stands for one expression in a match, so the sides of a binary operator have their own.
    # Alternatives may share: of them just one is matched.
    first, second = operand(), operand()
    unary = _any_of(list(UNARY))(first)
    clamped = is_op("relax.clip")(first, wildcard(), wildcard())
    return unary | clamped | _any_of(list(BINARY))(first, second)


def _is_elementwise(context: PatternCheckContext) -> bool:
    """Whether the result depends, element by element, on the tensor and single numbers alone."""
    calls = [value for value in context.matched_bindings.values() if isinstance(value, relax.Call)]
    calls.append(context.matched_expr)
    sources = [call.args[0] for call in calls if tvm_adapter.op_name(call) == "relax.dequantize"]
    constants = [argument for call in calls for argument in call.args if tvm_adapter.is_constant(argument)]
    return all(tvm_adapter.constant_value(constant).size == 1 for constant in constants) and all(
        tvm_adapter.shape_of(source) == tvm_adapter.shape_of(context.matched_expr) for source in sources
    )


@dataclass(frozen=True, eq=False)
class Lookup(Operator):
    """Any function from int8 to int8 of each element of a tensor.

    table: int8 [256], the results for -128 ... 127.
    function: name for the report, e.g. "sigmoid".
    """

    table: np.ndarray
    function: str

    kind: ClassVar[str] = "lookup"
    element_types: ClassVar[ElementTypes] = INT8

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(f(dequantize(x))) with f made of elementwise operators, and clip(x) on integers."""
        tensor = wildcard().has_dtype("int8")
        chain = quantized(_function(tensor, _DEPTH)).has_dtype("int8")
        clamped = is_op("relax.clip")(wildcard().has_dtype("int8"), wildcard(), wildcard())
        return [
            FusionPattern("tinycc.lookup", chain, {}, _is_elementwise),
            FusionPattern("tinycc.lookup", clamped),
        ]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Lookup":
        """Tabulate the function."""
        output = composite.result()
        if output.scale is None:
            call = composite.call("relax.clip")
            low, high = _numbers(call)
            table = np.clip(INT8_VALUES, low, high).astype(np.int8)
            return cls((composite.tensor(call.args[0]),), (output,), table, "clip")
        source = composite.tensor(composite.call("relax.dequantize"))
        tree = _tree(composite, composite.call("relax.quantize").args[0])
        return cls((source,), (output,), table_of(tree, source, output), _name(tree))

    @property
    def is_channelwise(self) -> bool:
        """Element by element."""
        return True

    def overlap_distance(self, index: int) -> int | None:
        """In place."""
        return 0

    def kernel(self) -> KernelCall:
        """One row of single elements."""
        source, output = self.inputs[0], self.outputs[0]
        return KernelCall(
            header="lookup.h",
            function="tinycc_lookup_int8",
            struct="tinycc_lookup",
            shape={"channels": 1},
            data={"table": self.table},
            windows=(RowWindow.whole(source),),
            rows=1,
            is_flat=True,
            columns=output.elements,
            row_elements=output.elements,
        )

    def describe(self) -> str:
        """The function."""
        return self.function


def _numbers(call: relax.Call) -> list[float]:
    """What an operator has beside its tensors: the bounds of a clip, a slope."""
    name = tvm_adapter.op_name(call)
    if name == "relax.clip":
        return [float(bound.value) for bound in call.args[1:3]]
    if name == "relax.nn.leakyrelu":
        return [float(call.attrs.alpha)]
    if name == "relax.nn.softplus":
        return [float(call.attrs.beta)]
    return []


def _tree(composite: Composite, expr: relax.Expr) -> Tree:
    """The function that the body computes between dequantize and quantize."""
    expr = composite.resolve(expr)
    if tvm_adapter.is_constant(expr):
        return float(tvm_adapter.constant_value(expr).reshape(-1)[0])
    name = tvm_adapter.op_name(expr).removeprefix("relax.")
    if name == "dequantize":
        return "x"
    if name not in UNARY and name not in BINARY and name != "clip":
        raise UnsupportedError(f"a table cannot hold {name}")
    operands = expr.args[:2] if name in BINARY else expr.args[:1]
    return (name, *(_tree(composite, operand) for operand in operands), *_numbers(expr))


def _name(tree: Tree) -> str:
    """The name of a single operator, "function" for a composed one."""
    is_single = isinstance(tree, tuple) and not any(isinstance(operand, tuple) for operand in tree)
    return str(tree[0]).removeprefix("nn.") if is_single and isinstance(tree, tuple) else "function"
