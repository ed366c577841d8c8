"""Elementwise functions of real and logical tensors, in a row, as one operator with a kernel written for it.

The pass `fuse_expressions` finds them: no pattern is as deep as they may be.
"""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax
from tvm.relax.transform import FusionPattern

from tinycc import tvm_adapter
from tinycc.ops.base import ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.elementwise import ElementwiseKernel, broadcast_windows, is_flat
from tinycc.ops.kernel_call import FlatCall, RowCall
from tinycc.ops.lookup.view import tensor_operands
from tinycc.ops.loop_nest import c_float
from tinycc.ops.room import Room
from tinycc.ops.tensor import Tensor


def _as(text: str) -> Callable[[relax.Call, Sequence[str]], str]:
    return lambda _call, operands: text.format(*operands)


def _leaky(call: relax.Call, operands: Sequence[str]) -> str:
    return "{0} < 0.0f ? {0} * {1} : {0}".format(*operands, c_float(float(call.attrs.alpha)))


def _clamp(call: relax.Call, operands: Sequence[str]) -> str:
    low, high = tvm_adapter.clip_bounds(call)
    inner = f"{operands[0]} > {c_float(high)} ? {c_float(high)} : {operands[0]}"
    return f"{operands[0]} < {c_float(low)} ? {c_float(low)} : ({inner})"


def _softplus(call: relax.Call, operands: Sequence[str]) -> str:
    """log(1 + exp(beta x)) / beta, x beyond the threshold."""
    beta, threshold = (c_float(float(number)) for number in (call.attrs.beta, call.attrs.threshold))
    scaled = f"{operands[0]} * {beta}"
    size = f"({scaled} < 0.0f ? {scaled} : -({scaled}))"
    soft = f"({scaled} < 0.0f ? 0.0f : {scaled}) + tinycc_log_of_more(tinycc_exp{size})"
    return f"{scaled} > {threshold} ? {operands[0]} : ({soft}) / {beta}"


def _astype(call: relax.Call, operands: Sequence[str]) -> str:
    return f"{operands[0]} != 0" if str(call.attrs.dtype) == "bool" else f"(float){operands[0]}"


# What operators of Relax are in C; logical values are 0 and 1.
FUNCTIONS: dict[str, Callable[[relax.Call, Sequence[str]], str]] = {
    "abs": _as("{0} < 0.0f ? -{0} : {0}"),
    "add": _as("{0} + {1}"),
    "astype": _astype,
    "ceil": _as("-tinycc_floor(-{0})"),
    "clip": _clamp,
    "divide": _as("{0} / {1}"),
    "equal": _as("{0} == {1}"),
    "erf": _as("tinycc_erf({0})"),
    "exp": _as("tinycc_exp({0})"),
    "floor": _as("tinycc_floor({0})"),
    "greater": _as("{0} > {1}"),
    "greater_equal": _as("{0} >= {1}"),
    "isfinite": _as("{0} - {0} == 0.0f"),
    "isinf": _as("{0} == INFINITY || {0} == -INFINITY"),
    "isnan": _as("{0} != {0}"),
    "less": _as("{0} < {1}"),
    "less_equal": _as("{0} <= {1}"),
    "log": _as("tinycc_log({0})"),
    "logical_and": _as("{0} && {1}"),
    "logical_not": _as("!{0}"),
    "logical_or": _as("{0} || {1}"),
    "logical_xor": _as("{0} != {1}"),
    "maximum": _as("{0} < {1} ? {1} : {0}"),
    "minimum": _as("{0} > {1} ? {1} : {0}"),
    "multiply": _as("{0} * {1}"),
    "negative": _as("-{0}"),
    "nn.gelu": _as("{0} * (0.5f + 0.5f * tinycc_erf({0} * 0.70710678f))"),
    "nn.gelu_tanh": _as("{0} * tinycc_sigmoid({0} * (1.59576912f + 7.13548163e-2f * {0} * {0}))"),
    "nn.leakyrelu": _leaky,
    "nn.prelu": _as("{0} < 0.0f ? {0} * {1} : {0}"),
    "nn.relu": _as("{0} < 0.0f ? 0.0f : {0}"),
    "nn.silu": _as("{0} * tinycc_sigmoid({0})"),
    "nn.softplus": _softplus,
    "not_equal": _as("{0} != {1}"),
    "round": _as("tinycc_round({0})"),
    "rsqrt": _as("1.0f / tinycc_root({0})"),
    "sigmoid": _as("tinycc_sigmoid({0})"),
    "sign": _as("{0} < 0.0f ? -1.0f : ({0} > 0.0f ? 1.0f : {0})"),
    "sqrt": _as("tinycc_root({0})"),
    "square": _as("{0} * {0}"),
    "subtract": _as("{0} - {1}"),
    "tanh": _as("tinycc_tanh({0})"),
    "trunc": _as("tinycc_truncate({0})"),
    "where": _as("{0} ? {1} : {2}"),
}
# Of the elements of tensors, as they lie in memory.
C_TYPES = {"float32": "float", "bool": "int8_t"}

_KERNEL = """\
TINYCC_INLINE void @name@({parameters},
    {result_type} *out_row, int32_t x0, int32_t x1, const tinycc_expression_shape *shape,
    const tinycc_expression_data *data)
{{
    (void)data;
    for (int32_t x = x0; x < x1; ++x) {{
        for (int32_t c = 0; c < shape->channels; ++c) {{
{statements}
        }}
    }}
}}"""


@dataclass(frozen=True, eq=False)
class Expression(Operator):
    """Any expression of FUNCTIONS; its inputs have the output's shape or are broadcast to it.

    operators: names of what it computes.
    statements: C that computes `result` from elements of the inputs, `input0`, `input1` ...
    """

    operators: tuple[str, ...]
    statements: tuple[str, ...]
    result: str

    kind: ClassVar[str] = "expression"
    element_types: ClassVar[ElementTypes] = frozenset(itertools.product(C_TYPES, C_TYPES))

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """None: see `fuse_expressions`."""
        return []

    @classmethod
    def from_composite(cls, composite: Composite) -> "Expression":
        """Write the body as C; single numbers become a part of it."""
        reader = _Reader(composite)
        statements = [reader.statement(binding) for binding in tvm_adapter.bindings_of(composite.function)]
        operators = [
            tvm_adapter.op_name(binding.value).removeprefix("relax.")
            for binding in tvm_adapter.bindings_of(composite.function)
        ]
        return cls(
            tuple(reader.inputs),
            (composite.result(),),
            tuple(filter(None, operators)),
            tuple(filter(None, statements)),
            reader.operand(composite.function.body.body),
        )

    def describe(self) -> str:
        """What it computes."""
        return ", ".join(self.operators)


class _Reader:
    """Reads a composite binding by binding. inputs: what its elements are read of, parameters first."""

    def __init__(self, composite: Composite) -> None:
        self._composite = composite
        self._names: dict[relax.Expr, str] = {}
        self.inputs: list[Tensor] = []
        for parameter in composite.function.params:
            self._names[parameter] = self._input(composite.tensor(parameter))

    def _input(self, tensor: Tensor) -> str:
        self.inputs.append(tensor)
        return f"input{len(self.inputs) - 1}"

    def operand(self, expr: relax.Expr) -> str:
        """A value as C: its name, or a number."""
        if expr in self._names:
            return self._names[expr]
        if not tvm_adapter.is_constant(expr):
            raise ValueError("an operand is no tensor")
        value = tvm_adapter.constant_value(expr)
        if value.size == 1:
            number = value.reshape(()).item()
            text = str(int(number)) if value.dtype == np.bool_ else c_float(number)
            return f"({text})" if text.startswith("-") else text
        return self._input(Tensor(value.shape, str(value.dtype), value=value))

    def statement(self, binding: relax.VarBinding) -> str:
        """A binding as C; "" where it is another name of a value."""
        if not isinstance(binding.value, relax.Call):
            self._names[binding.var] = self.operand(binding.value)
            return ""
        operands = [self.operand(operand) for operand in tensor_operands(binding.value)]
        value = FUNCTIONS[tvm_adapter.op_name(binding.value).removeprefix("relax.")](binding.value, operands)
        self._names[binding.var] = f"value{len(self._names)}"
        type_name = C_TYPES[tvm_adapter.dtype_of(binding.var)]
        return f"const {type_name} {self._names[binding.var]} = {value};"


class WrittenKernel(ElementwiseKernel[Expression]):
    """A loop that the compiler writes, for all expressions that are the same but for sizes."""

    def call(self, view: Expression) -> FlatCall | RowCall:
        """One row of single elements where nothing is broadcast."""
        output = view.outputs[0]
        flat = is_flat(view.inputs, output)
        windows = [] if flat else broadcast_windows(view.inputs, output)
        places = ["x"] * len(view.inputs) if flat else [_place(item.pixel, item.channel) for item in windows]
        definition = _definition(view, places)
        function = f"tinycc_expression_{hashlib.sha256(definition.encode()).hexdigest()[:8]}"
        kernel = "expression.h", function, "tinycc_expression"
        shape = {"channels": 1 if flat else output.channels}
        definition = definition.replace("@name@", function)
        if flat:
            return FlatCall(
                *kernel,
                shape=shape,
                data={"zero": 0},
                inputs=tuple(tensor.elements for tensor in view.inputs),
                columns=output.elements,
                elements=output.elements,
                definition=definition,
            )
        return RowCall(
            *kernel,
            shape=shape,
            data={"zero": 0},
            windows=tuple(item.window for item in windows),
            rows=output.height,
            columns=output.width,
            row_elements=output.width * output.channels,
            definition=definition,
        )


def _place(pixel: int, channel: int) -> str:
    """Where in a row of an input the element of pixel x and channel c is."""
    if not pixel:
        return "c" if channel else "0"
    return "x * shape->channels + c" if channel else "x"


def _definition(view: Expression, places: Sequence[str]) -> str:
    """The kernel of an expression, but for its name; inputs are at these places of their rows."""
    types = [C_TYPES[tensor.dtype] for tensor in view.inputs]
    loads = [
        f"const {type_name} input{index} = row{index}[{place}];"
        for index, (type_name, place) in enumerate(zip(types, places, strict=True))
    ]
    lines = [*loads, *view.statements, f"out_row[x * shape->channels + c] = {view.result};"]
    return _KERNEL.format(
        parameters=", ".join(f"const {type_name} *row{index}" for index, type_name in enumerate(types)),
        result_type=C_TYPES[view.outputs[0].dtype],
        statements="\n".join(f"{12 * ' '}{line}" for line in lines),
    )


ROOM = Room(Expression, (WrittenKernel(),))


def may_broadcast(operand: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a kernel can read an operand of one shape for an output of another."""
    tensors = Tensor(operand, "float32"), Tensor(shape, "float32")
    try:
        return np.broadcast_shapes(operand, shape) == shape and bool(
            broadcast_windows(tensors[:1], tensors[1])
        )
    except ValueError:
        return False
