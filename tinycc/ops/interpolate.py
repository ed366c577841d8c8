"""Functions of one int16 tensor, element by element, as a table that is interpolated."""

from dataclasses import dataclass
from functools import reduce
from typing import ClassVar

import numpy as np
from tvm import relax
from tvm.relax.dpl import DFPattern, is_const, is_op, wildcard
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes
from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import INTEGER_RANGE
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import FlatCall
from tinycc.ops.lookup.view import is_number, name_of, source_of, tree_of
from tinycc.ops.lookup_table import Tree, evaluate
from tinycc.ops.patterns import dequantized, quantized
from tinycc.ops.room import Room
from tinycc.ops.tensor import ITEM_BYTES, Tensor

# Of one and of two operands, less "relax.".
UNARY = (
    "abs", "ceil", "cos", "erf", "exp", "floor", "log", "negative", "nn.gelu", "nn.gelu_tanh",
    "nn.leakyrelu", "nn.relu", "nn.selu", "nn.silu", "nn.softplus", "round", "rsqrt", "sigmoid", "sign",
    "sin", "sqrt", "square", "tanh",
)  # fmt: skip
BINARY = ("add", "divide", "maximum", "minimum", "multiply", "power", "subtract")
# Enough for GELU written out in single operators, its tanh approximation included.
_DEPTH = 8

# Of the range of int16.
_STEPS = 512
# Of an int8 result before it is rounded.
_FRACTION_BITS = 8


def _function(tensor: DFPattern, depth: int) -> DFPattern:
    """A call of at most `depth` levels of operators whose leaves are `tensor`, dequantized, and constants."""

    def operand() -> DFPattern:
        leaf = dequantized(tensor) | is_const()
        return leaf | _function(tensor, depth - 1) if depth > 1 else leaf

    def any_of(names: tuple[str, ...]) -> DFPattern:
        return reduce(lambda a, b: a | b, [is_op(f"relax.{name}") for name in names])

    # A pattern stands for one expression in a match, so the sides of a binary operator have their own.
    # Alternatives may share: of them just one is matched.
    first, second = operand(), operand()
    clamped = is_op("relax.clip")(first, wildcard(), wildcard())
    return any_of(UNARY)(first) | clamped | any_of(BINARY)(first, second)


def _is_elementwise(context: PatternCheckContext) -> bool:
    """Whether the result depends, element by element, on one tensor and single numbers alone."""
    calls = [value for value in context.matched_bindings.values() if isinstance(value, relax.Call)]
    calls.append(context.matched_expr)
    tensors = [call.args[0] for call in calls if tvm_adapter.op_name(call) == "relax.dequantize"]
    constants = [argument for call in calls for argument in call.args if tvm_adapter.is_constant(argument)]
    source = source_of(tensors)
    return (
        isinstance(source, relax.Var)
        and all(map(is_number, constants))
        and tvm_adapter.shape_of(source) == tvm_adapter.shape_of(context.matched_expr)
    )


@dataclass(frozen=True, eq=False)
class Interpolate(ChannelDependence):
    """Any function from int16 to int8 or int16 of each element of a tensor.

    table: int16 [513], the results for -32768, -32640, ... 32768 in steps of the output; of an int8 output in
        steps of 1/256.
    function: name for the report, e.g. "sigmoid".
    """

    table: np.ndarray
    function: str

    kind: ClassVar[str] = "interpolate"
    element_types: ClassVar[ElementTypes] = frozenset({("int16", "int8"), ("int16", "int16")})

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """quantize(f(dequantize(x))) with f made of elementwise operators and numbers."""
        tensor = wildcard().has_dtype("int16")
        chain = quantized(_function(tensor, _DEPTH))
        return [FusionPattern("tinycc.interpolate", chain, {}, _is_elementwise)]

    @classmethod
    def from_composite(cls, composite: Composite) -> "Interpolate":
        """Tabulate the function."""
        source, tree = _read(composite)
        output = composite.result()
        positions = np.linspace(-(2.0**15), 2.0**15, _STEPS + 1) - source.zero_point
        with np.errstate(all="ignore"):
            real = evaluate(tree, (positions * source.real_scale).astype(np.float32)).astype(np.float64)
        bits = _FRACTION_BITS if output.dtype == "int8" else 0
        steps = np.rint(np.nan_to_num(real / output.real_scale + output.zero_point) * 2**bits)
        table = np.clip(steps, *INTEGER_RANGE["int16"]).astype(np.int16)
        return cls((source,), (output,), table, name_of(tree))

    @property
    def is_channelwise(self) -> bool:
        """Element by element."""
        return True

    def describe(self) -> str:
        """The function."""
        return self.function


def _read(composite: Composite) -> tuple[Tensor, Tree]:
    """The tensor, and the function of it that is quantized."""
    trees: dict[relax.Expr, Tree] = {}
    source, tree = None, None
    for binding in tvm_adapter.bindings_of(composite.function):
        value, name = binding.value, tvm_adapter.op_name(binding.value)
        if name == "relax.dequantize" and not tvm_adapter.is_constant(value.args[0]):
            source, trees[binding.var] = composite.tensor(value), "x"
        elif name == "relax.quantize":
            tree = trees[value.args[0]]
        elif not isinstance(value, relax.Var):  # another name of the result
            trees[binding.var] = tree_of(value, trees)
    assert source is not None and tree is not None
    return source, tree


class PortableInterpolate(Kernel[Interpolate]):
    """On any core."""

    def call(self, view: Interpolate) -> FlatCall:
        """One row of single elements."""
        source, output = view.inputs[0], view.outputs[0]
        low, high = INTEGER_RANGE[output.dtype]
        return FlatCall(
            header="interpolate.h",
            function=f"tinycc_interpolate_{output.dtype}",
            struct="tinycc_interpolate",
            shape={
                "channels": 1,
                "fraction_bits": _FRACTION_BITS if ITEM_BYTES[output.dtype] == 1 else 0,
            },
            data={"table": view.table, "output_min": low, "output_max": high},
            inputs=(source.elements,),
            columns=output.elements,
            elements=output.elements,
        )

    def overlap(self, view: Interpolate, index: int) -> int:
        """In place: elements do not grow."""
        return 0


ROOM = Room(Interpolate, (PortableInterpolate(),))
