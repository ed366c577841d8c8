"""Operators: one file each, and the list of them."""

from functools import cache
from typing import Any

from tvm import relax
from tvm.relax.transform import FusionPattern, PatternCheckContext

from tinycc.errors import UnsupportedError
from tinycc.ops import (
    add,
    add_gradients,
    arg_max,
    average_gradient,
    average_pool2d,
    bias_update,
    bias_velocity,
    cast,
    checked_rate,
    clamp_gradient,
    clamp_mask,
    concatenate,
    conv2d,
    cross_entropy,
    delay_line,
    dense,
    depthwise_conv2d,
    divide,
    embedding,
    expression,
    extremum,
    fallback,
    float_lstm,
    gather,
    gradient_exponent,
    input_gradient,
    input_rows,
    interpolate,
    l2_normalization,
    layer_norm,
    leaky_relu,
    log_softmax,
    lookup,
    matmul,
    max_pool2d,
    max_pool_gradient,
    multiply,
    multiply_gradient,
    pad,
    prelu,
    quantize,
    quantize_gradient,
    reduce,
    requantize,
    resize_bilinear,
    resize_nearest,
    softmax,
    squared_difference,
    squared_error,
    strided_copy,
    svdf,
    table_gradient,
    trained_layer,
    transpose_conv2d,
    unidirectional_lstm,
    velocity_update,
    weight_update,
    weight_velocity,
)
from tinycc.ops.base import Operator
from tinycc.ops.composite import Composite
from tinycc.ops.room import Room
from tinycc.ops.softmax import masked as masked_softmax
from tinycc.ops.stage import Stage

# In the order in which their patterns are tried: the more special first.
ROOMS: list[Room[Any]] = [
    depthwise_conv2d.ROOM,
    conv2d.ROOM,
    transpose_conv2d.ROOM,
    dense.ROOM,
    matmul.ROOM,
    # What has one operand that changes costs less as a table.
    lookup.ROOM,
    add.ROOM,
    multiply.ROOM,
    divide.ROOM,
    squared_difference.ROOM,
    extremum.ROOM,
    average_pool2d.ROOM,
    max_pool2d.ROOM,
    reduce.ROOM,
    masked_softmax.ROOM,
    softmax.ROOM,
    log_softmax.ROOM,
    layer_norm.ROOM,
    l2_normalization.ROOM,
    pad.ROOM,
    resize_nearest.ROOM,
    resize_bilinear.ROOM,
    arg_max.ROOM,
    concatenate.ROOM,
    strided_copy.ROOM,
    gather.ROOM,
    embedding.ROOM,
    prelu.ROOM,
    leaky_relu.ROOM,
    svdf.ROOM,
    unidirectional_lstm.ROOM,
    float_lstm.ROOM,
    requantize.ROOM,
    # What has no arithmetic of its own on int16.
    interpolate.ROOM,
    cast.ROOM,
    # Whatever quantize and dequantize no other operator took in.
    quantize.QUANTIZE,
    quantize.DEQUANTIZE,
    # Without a pattern: fuse_expressions makes them.
    expression.ROOM,
    # Likewise lower_fallbacks.
    fallback.ROOM,
    # And stream_input, and slide_states.
    input_rows.ROOM,
    delay_line.ROOM,
    # And mark_trainable.
    trained_layer.ROOM,
    # And build_backward.
    clamp_gradient.ROOM,
    clamp_mask.ROOM,
    input_gradient.ROOM,
    average_gradient.ROOM,
    max_pool_gradient.ROOM,
    table_gradient.ROOM,
    multiply_gradient.ROOM,
    checked_rate.ROOM,
    weight_update.ROOM,
    bias_update.ROOM,
    weight_velocity.ROOM,
    bias_velocity.ROOM,
    velocity_update.ROOM,
    gradient_exponent.ROOM,
    quantize_gradient.ROOM,
    add_gradients.EXPONENT,
    add_gradients.ROOM,
    cross_entropy.LOSS,
    cross_entropy.GRADIENT,
    squared_error.LOSS,
    squared_error.GRADIENT,
]


@cache
def fusion_patterns() -> tuple[FusionPattern, ...]:
    """The patterns of all operators, in the order in which they are to be tried."""
    quantized = [pattern for room in ROOMS for pattern in room.view.patterns()]
    real = [pattern for room in ROOMS for pattern in room.view.float_patterns()]
    return tuple(_closed(pattern) for pattern in (*quantized, *real))


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
    for room in ROOMS:
        if room.view.kind == composite.kind:
            try:
                return room.read(composite)
            except ValueError as error:
                result = f"{composite.kind} with the result {function.ret_ty}"
                raise UnsupportedError(f"{result}: {error}") from error
    raise UnsupportedError(f"no operator is called {composite.kind!r}")
