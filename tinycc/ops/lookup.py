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
from tinycc.ops import helium
from tinycc.ops.base import ElementTypes, KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.lookup_table import BINARY, INT8_VALUES, UNARY, QuantizedNumber, Tree, table_of
from tinycc.ops.patterns import activated, dequantized, quantized
from tinycc.ops.tensor import byte_types

# Enough for GELU written out in single operators, its tanh approximation included.
DEPTH = 8


def _any_of(names: list[str]) -> DFPattern:
    patterns = [is_op(f"relax.{name}") for name in names]
    return reduce(lambda a, b: a | b, patterns)


def function_pattern(tensor: DFPattern, depth: int) -> DFPattern:
    """A call of at most `depth` levels of operators whose leaves are `tensor`, dequantized, and constants."""

    def operand() -> DFPattern:
        leaf = dequantized(tensor) | is_const()
        return leaf | function_pattern(tensor, depth - 1) if depth > 1 else leaf

    # A pattern stands for one expression in a match, so the sides of a binary operator have their own.
    # Alternatives may share: of them just one is matched.
    first, second = operand(), operand()
    unary = _any_of(list(UNARY))(first)
    clamped = is_op("relax.clip")(first, wildcard(), wildcard())
    return unary | clamped | _any_of(list(BINARY))(first, second)


def _arithmetic(tensor: DFPattern) -> DFPattern:
    """The tensor and a quantized constant, or itself, added, subtracted or multiplied."""
    first, second = (dequantized(is_const()) | dequantized(tensor) for _ in range(2))
    value = _any_of(["add", "subtract", "multiply"])(first, second)
    return quantized(activated(value)).has_dtype("int8")


def _is_number(expr: relax.Expr) -> bool:
    """Whether an expression is a constant of one element."""
    return tvm_adapter.is_constant(expr) and tvm_adapter.constant_value(expr).size == 1


def is_elementwise(context: PatternCheckContext) -> bool:
    """Whether the result depends, element by element, on the tensor and single numbers alone.

    Nobody else reads what lies between two tables that are made one.
    """
    calls = [value for value in context.matched_bindings.values() if isinstance(value, relax.Call)]
    calls.append(context.matched_expr)
    sources = [call.args[0] for call in calls if tvm_adapter.op_name(call) == "relax.dequantize"]
    tensors = [source for source in sources if not _is_number(source)] or sources[:1]
    between = [variable for variable in tensors if variable in context.matched_bindings]
    own = [tensor for tensor in tensors if tensor not in between]
    constants = [argument for call in calls for argument in call.args if tvm_adapter.is_constant(argument)]
    shape = tvm_adapter.shape_of(context.matched_expr)
    return (
        bool(own)
        and all(tensor.same_as(own[0]) for tensor in own)
        and all(constant.same_as(own[0]) or _is_number(constant) for constant in constants)
        and all(tvm_adapter.shape_of(tensor) == shape for tensor in tensors)
        and all(len(context.var_usages[variable]) == 1 for variable in between)
    )


@dataclass(frozen=True, eq=False)
class Lookup(Operator):
    """Any function from 8 bits to 8 bits of each element of a tensor.

    table: int8 [256], the results for -128 ... 127; uint8 elements are taken less 128.
    function: name for the report, e.g. "sigmoid".
    """

    table: np.ndarray
    function: str

    kind: ClassVar[str] = "lookup"
    element_types: ClassVar[ElementTypes] = frozenset(
        (source, result) for source in ("int8", "uint8") for result in ("int8", "uint8")
    )

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(f(dequantize(x))) with f made of elementwise operators, and clip(x) on integers.

        Two steps of arithmetic with constants, as preprocessing has them, are one function.
        """
        tensor = wildcard().has_dtype("int8")
        chain = quantized(function_pattern(tensor, DEPTH)).has_dtype("int8")
        elementwise = [_arithmetic(_arithmetic(tensor)), _arithmetic(tensor), chain]
        clamped = is_op("relax.clip")(wildcard().has_dtype("int8"), wildcard(), wildcard())
        return [
            *(FusionPattern("tinycc.lookup", pattern, {}, is_elementwise) for pattern in elementwise),
            FusionPattern("tinycc.lookup", clamped),
        ]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Lookup":
        """Tabulate the function."""
        output = composite.result()
        if output.scale is None:
            call = composite.call("relax.clip")
            low, high = numbers_of(call)
            table = np.clip(INT8_VALUES, low, high).astype(np.int8)
            return cls((composite.tensor(call.args[0]),), (output,), table, "clip")
        steps = _steps(composite)
        table = steps[0].table
        for step in steps[1:]:
            table = step.table[table.astype(np.int64) + 128]
        source = composite.tensor(steps[0].dequantize)
        name = steps[0].name if len(steps) == 1 else "function"
        return cls((source,), (output,), table, name)

    def has_variant(self, feature: str) -> bool:
        """Helium gathers bytes."""
        return feature == helium.FEATURE

    @property
    def is_channelwise(self) -> bool:
        """Element by element."""
        return True

    def evaluated(self) -> np.ndarray | None:
        """By the table."""
        value = self.inputs[0].value
        return None if value is None else self.table[value.astype(np.int64) + 128]

    def overlap_distance(self, index: int) -> int | None:
        """In place."""
        return 0

    @property
    def _stored_table(self) -> np.ndarray:
        """The table in the order in which the kernel looks up, as the bytes that it writes."""
        table = self.table ^ np.int8(-128) if self.outputs[0].dtype == "uint8" else self.table
        # A gather takes elements as unsigned numbers.
        is_rolled = self.variant == helium.FEATURE and self.inputs[0].dtype == "int8"
        return np.roll(table, 128) if is_rolled else table

    def kernel(self) -> KernelCall:
        """One row of single elements."""
        source, output = self.inputs[0], self.outputs[0]
        name = "lookup_helium" if self.variant == helium.FEATURE else "lookup"
        return KernelCall(
            header=f"{name}.h",
            function=f"tinycc_{name}_{byte_types(source, output)}",
            struct=f"tinycc_{name}",
            shape={"channels": 1},
            data={"table": self._stored_table},
            windows=(RowWindow.whole(source),),
            rows=1,
            is_flat=True,
            columns=output.elements,
            row_elements=output.elements,
        )

    def describe(self) -> str:
        """The function."""
        return self.function


def numbers_of(call: relax.Call) -> list[float]:
    """What an operator has beside its tensors: the bounds of a clip, a slope."""
    name = tvm_adapter.op_name(call)
    if name == "relax.clip":
        return [float(bound.value) for bound in call.args[1:3]]
    if name == "relax.nn.leakyrelu":
        return [float(call.attrs.alpha)]
    if name == "relax.nn.softplus":
        return [float(call.attrs.beta)]
    return []


@dataclass(frozen=True, eq=False)
class _Step:
    """One of the functions that make up the table, from a dequantize to a quantize."""

    dequantize: relax.Call
    table: np.ndarray
    name: str


def _steps(composite: Composite) -> list[_Step]:
    """The functions of a body, in order."""
    result = composite.resolve(composite.function.body.body)
    steps: list[_Step] = []
    while tvm_adapter.op_name(result) == "relax.quantize":
        # The tensor is what is no constant; of constants, what is no single number.
        leaves = leaves_of(composite, result.args[0])
        dequantize = max(leaves, key=lambda leaf: _leaf_rank(composite, leaf))
        tree = tree_of(composite, result.args[0], composite.resolve(dequantize.args[0]))
        source, output = composite.dequantized(dequantize).as_int8, composite.quantized(result).as_int8
        steps.insert(0, _Step(dequantize, table_of(tree, source, output), name_of(tree)))
        result = composite.resolve(dequantize.args[0])
    return steps


def leaves_of(composite: Composite, expr: relax.Expr) -> list[relax.Call]:
    """The dequantizes of tensors and numbers that an expression is a function of."""
    expr = composite.resolve(expr)
    if tvm_adapter.op_name(expr) == "relax.dequantize":
        return [expr]
    operands = expr.args if isinstance(expr, relax.Call) else ()
    return [leaf for operand in operands for leaf in leaves_of(composite, operand)]


def _leaf_rank(composite: Composite, leaf: relax.Call) -> tuple[bool, bool]:
    source = composite.resolve(leaf.args[0])
    return not tvm_adapter.is_constant(source), not _is_number(source)


def tree_of(composite: Composite, expr: relax.Expr, tensor: relax.Expr) -> Tree:
    """The function that a quantize is computed from, of a tensor under a dequantize."""
    expr = composite.resolve(expr)
    if tvm_adapter.is_constant(expr):
        return float(tvm_adapter.constant_value(expr).reshape(-1)[0])
    name = tvm_adapter.op_name(expr).removeprefix("relax.")
    if name == "dequantize":
        if composite.resolve(expr.args[0]).same_as(tensor):
            return "x"
        number = composite.tensor(expr)
        assert number.value is not None
        return QuantizedNumber(int(number.value.reshape(-1)[0]), number.real_scale, number.zero_point)
    if name not in UNARY and name not in BINARY and name != "clip":
        raise UnsupportedError(f"a table cannot hold {name}")
    operands = expr.args[:2] if name in BINARY else expr.args[:1]
    return (name, *(tree_of(composite, operand, tensor) for operand in operands), *numbers_of(expr))


def name_of(tree: Tree) -> str:
    """The name of a single operator, "function" for a composed one."""
    is_single = isinstance(tree, tuple) and not any(isinstance(operand, tuple) for operand in tree)
    return str(tree[0]).removeprefix("nn.") if is_single and isinstance(tree, tuple) else "function"
