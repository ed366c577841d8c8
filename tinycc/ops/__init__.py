"""Operators: one file each, and the list of them."""

from dataclasses import replace

from tvm import relax
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc.errors import UnsupportedError
from tinycc.ops.add import Add
from tinycc.ops.arg_max import ArgMax
from tinycc.ops.average_pool2d import AveragePool2D
from tinycc.ops.base import PORTABLE, REPEATED, VARIANT, Operator
from tinycc.ops.cast import Cast
from tinycc.ops.composite import Composite
from tinycc.ops.concatenate import Concatenate
from tinycc.ops.conv2d import Conv2D
from tinycc.ops.delay_line import DelayLine
from tinycc.ops.dense import Dense
from tinycc.ops.depthwise_conv2d import DepthwiseConv2D
from tinycc.ops.divide import Divide
from tinycc.ops.extremum import Extremum
from tinycc.ops.fallback import Fallback
from tinycc.ops.gather import Gather
from tinycc.ops.input_rows import InputRows
from tinycc.ops.interpolate import Interpolate
from tinycc.ops.leaky_relu import LeakyReLU
from tinycc.ops.lookup import Lookup
from tinycc.ops.max_pool2d import MaxPool2D
from tinycc.ops.multiply import Multiply
from tinycc.ops.pad import Pad
from tinycc.ops.prelu import PReLU
from tinycc.ops.quantize import Dequantize, Quantize
from tinycc.ops.reduce import Reduce
from tinycc.ops.requantize import Requantize
from tinycc.ops.resize_bilinear import ResizeBilinear
from tinycc.ops.resize_nearest import ResizeNearest
from tinycc.ops.softmax import Softmax
from tinycc.ops.stage import Stage
from tinycc.ops.strided_copy import StridedCopy
from tinycc.ops.svdf import SVDF
from tinycc.ops.transpose_conv2d import TransposeConv2D
from tinycc.ops.unidirectional_lstm import UnidirectionalLSTM

# In the order in which their patterns are tried: the more special first.
OPERATORS: list[type[Operator]] = [
    DepthwiseConv2D,
    Conv2D,
    TransposeConv2D,
    Dense,
    # What has one operand that changes costs less as a table.
    Lookup,
    Add,
    Multiply,
    Divide,
    Extremum,
    AveragePool2D,
    MaxPool2D,
    Reduce,
    Softmax,
    Pad,
    ResizeNearest,
    ResizeBilinear,
    ArgMax,
    Concatenate,
    StridedCopy,
    Gather,
    PReLU,
    LeakyReLU,
    SVDF,
    UnidirectionalLSTM,
    Requantize,
    # What has no arithmetic of its own on int16.
    Interpolate,
    Cast,
    # Whatever quantize and dequantize no other operator took in.
    Quantize,
    Dequantize,
    # Without a pattern: lower_fallbacks makes them.
    Fallback,
    # Likewise stream_input, and slide_states.
    InputRows,
    DelayLine,
]


def fusion_patterns() -> list[FusionPattern]:
    """The patterns of all operators, in the order in which they are to be tried."""
    return [_closed(pattern) for operator in OPERATORS for pattern in operator.patterns()]


def _closed(pattern: FusionPattern) -> FusionPattern:
    """`pattern` where nobody outside of the match reads what lies in it: an operator has one result."""

    def check(context: PatternCheckContext) -> bool:
        inside = context.matched_bindings
        return all(
            reader in inside
            for variable, value in inside.items()
            if not value.same_as(context.matched_expr)
            for reader in context.var_usages[variable]
        ) and (pattern.check is None or pattern.check(context))

    return FusionPattern(pattern.name, pattern.pattern, pattern.annotation_patterns, check)


def view_of(function: relax.Function) -> Operator:
    """The typed view of a composite function.

    Raises UnsupportedError where the operator's kernel cannot do what the function asks for.
    """
    composite = Composite(function)
    if composite.kind == Stage.kind:
        return Stage.of_function(function, view_of)
    for operator in OPERATORS:
        if operator.kind == composite.kind:
            try:
                view = operator.from_composite(composite)
                _check_element_types(view)
                return replace(
                    view,
                    variant=str(composite.attribute(VARIANT) or PORTABLE),
                    is_repeated=bool(composite.attribute(REPEATED)),
                )
            except ValueError as error:
                result = f"{composite.kind} with the result {function.ret_ty}"
                raise UnsupportedError(f"{result}: {error}") from error
    raise UnsupportedError(f"no operator is called {composite.kind!r}")


def _check_element_types(view: Operator) -> None:
    """ValueError where the kernel does not come for the tensors' element types."""
    types = (view.inputs[0].dtype, view.outputs[0].dtype)
    if view.element_types is not None and types not in view.element_types:
        raise ValueError(f"there is no kernel from {types[0]} to {types[1]}")
