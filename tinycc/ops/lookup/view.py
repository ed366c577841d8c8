"""What a table of a function is: how the composites are read that compute a function of each element.

The pass `fuse_lookups` finds them: no pattern is as deep as they may be.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax
from tvm.relax.transform import FusionPattern

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes
from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.composite import Composite
from tinycc.ops.evaluable import Evaluable
from tinycc.ops.lookup_table import INT8_VALUES, INTEGER, QuantizedNumber, Tree, table_of
from tinycc.ops.table_slopes import mean_slopes, tree_slopes
from tinycc.ops.tensor import Tensor


@dataclass(frozen=True, eq=False)
class Lookup(ChannelDependence, Evaluable):
    """Any function from 8 bits to 8 bits of each element of a tensor.

    table: int8 [256], the results for -128 ... 127; uint8 elements are taken less 128.
    slopes: float32 [256], of the real function behind it, in steps of the output for one of the input.
    function: name for the report, e.g. "sigmoid".
    """

    table: np.ndarray
    slopes: np.ndarray
    function: str

    kind: ClassVar[str] = "lookup"
    element_types: ClassVar[ElementTypes] = frozenset(
        (source, result) for source in ("int8", "uint8") for result in ("int8", "uint8")
    )

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """None: see `fuse_lookups`."""
        return []

    @classmethod
    def from_composite(cls, composite: Composite) -> "Lookup":
        """Tabulate the function, or the functions one after the other."""
        steps = _steps(composite)
        table, slopes = steps[0].table, steps[0].slopes
        for step in steps[1:]:
            places = table.astype(np.int64) + 128
            # What saturates in between does not change.
            slopes = slopes * step.slopes[places] * (np.abs(table + 0.5) < 127)
            table = step.table[places]
        name = steps[0].name if len(steps) == 1 else "function"
        return cls((steps[0].source,), (composite.result(),), table, slopes, name)

    @property
    def is_channelwise(self) -> bool:
        """Element by element."""
        return True

    def evaluated(self) -> np.ndarray | None:
        """By the table."""
        value = self.inputs[0].value
        return None if value is None else self.table[value.astype(np.int64) + 128]

    @property
    def written_table(self) -> np.ndarray:
        """The table as the bytes that a kernel writes."""
        return self.table ^ np.int8(-128) if self.outputs[0].dtype == "uint8" else self.table

    def describe(self) -> str:
        """The function."""
        return self.function


def tensor_operands(call: relax.Call) -> list[relax.Expr]:
    """The operands of a call that are tensors, rather than shapes and numbers."""
    return [each for each in call.args if isinstance(each, relax.Var) or tvm_adapter.is_constant(each)]


@dataclass(frozen=True, eq=False)
class _Step:
    """One of the functions that make up the table, from integers to integers."""

    source: Tensor
    table: np.ndarray
    slopes: np.ndarray
    name: str


def is_number(expr: relax.Expr) -> bool:
    """Whether an expression is a constant whose elements are all the same number."""
    return bool(tvm_adapter.is_constant(expr) and np.unique(tvm_adapter.constant_value(expr)).size == 1)


def source_of(tensors: Sequence[relax.Expr]) -> relax.Expr | None:
    """Of the tensors that a function dequantizes the one that it is a function of; None if there are several.

    Of constants it is the one that is no single number, or else the first.
    """
    varying = [tensor for tensor in tensors if not is_number(tensor)] or list(tensors[:1])
    return varying[0] if varying and all(each.same_as(varying[0]) for each in varying) else None


def _steps(composite: Composite) -> list[_Step]:
    """The functions of a body, in order; each is one of the result of that before it."""
    calls = [binding.value for binding in tvm_adapter.bindings_of(composite.function)]
    stored = [call.args[0] for call in calls if tvm_adapter.op_name(call) == "relax.dequantize"]
    constant = None if composite.function.params else source_of(stored)
    source = None if constant is not None else composite.tensor(composite.function.params[0])
    steps: list[_Step] = []
    trees: dict[relax.Expr, Tree] = {}
    for binding in tvm_adapter.bindings_of(composite.function):
        value = binding.value
        name = tvm_adapter.op_name(value).removeprefix("relax.")
        is_stored = name == "dequantize" and tvm_adapter.is_constant(value.args[0])
        if name == "dequantize" and (not is_stored or value.args[0].same_as(constant)):
            source, trees[binding.var] = (
                composite.dequantized(value) if steps else composite.tensor(value),
                "x",
            )
        elif name == "quantize":
            tree, output = trees[value.args[0]], composite.quantized(value)
            assert source is not None
            ends = source.as_int8, output.as_int8
            steps.append(_Step(source, table_of(tree, *ends), tree_slopes(tree, *ends), name_of(tree)))
        elif name in INTEGER and tvm_adapter.dtype_of(binding.var) == "int8":
            assert source is not None
            numbers = numbers_of(value)
            table = INTEGER[name](INT8_VALUES, *numbers).astype(np.int8)
            slopes = mean_slopes(functools.partial(_applied, name, numbers))
            steps.append(_Step(source, table, slopes, name))
        elif not isinstance(value, relax.Var):  # another name of the result
            trees[binding.var] = tree_of(value, trees)
    return steps


def _applied(name: str, numbers: list[float], values: np.ndarray) -> np.ndarray:
    """A function of integers."""
    return INTEGER[name](values, *numbers)


def tree_of(expr: relax.Expr, trees: dict[relax.Expr, Tree]) -> Tree:
    """What an expression computes of the tensor under the last dequantize; `trees` has its operands."""
    if expr in trees:
        return trees[expr]
    if tvm_adapter.is_constant(expr):
        return float(tvm_adapter.constant_value(expr).flat[0])
    name = tvm_adapter.op_name(expr).removeprefix("relax.")
    if name == "dequantize":
        value, scale, zero_point = (tvm_adapter.constant_value(each).flat[0] for each in expr.args[:3])
        return QuantizedNumber(int(value), float(scale), int(zero_point))
    operands = [tree_of(operand, trees) for operand in tensor_operands(expr)]
    return (name, *operands, *numbers_of(expr))


def numbers_of(call: relax.Call) -> list[float]:
    """What an operator has beside its tensors: the bounds of a clip, a slope, whether fractions are lost."""
    name = tvm_adapter.op_name(call)
    if name == "relax.astype":
        return [float("int" in str(call.attrs.dtype))]
    if name == "relax.clip":
        return [float(bound.value) for bound in call.args[1:3]]
    if name == "relax.nn.leakyrelu":
        return [float(call.attrs.alpha)]
    if name == "relax.nn.softplus":
        return [float(call.attrs.beta), float(call.attrs.threshold)]
    return []


def name_of(tree: Tree) -> str:
    """The name of a single operator, "function" for a composed one."""
    is_single = isinstance(tree, tuple) and not any(isinstance(operand, tuple) for operand in tree)
    return str(tree[0]).removeprefix("nn.") if is_single and isinstance(tree, tuple) else "function"
