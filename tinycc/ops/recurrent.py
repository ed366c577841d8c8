"""Reading composites of operators with state, which frontends emit with their parameters as attributes."""

from collections.abc import Sequence

import numpy as np

from tinycc import tvm_adapter
from tinycc.ops.composite import Composite
from tinycc.ops.tensor import Tensor

Quantization = tuple[float | None, int]


def number(composite: Composite, name: str) -> float:
    """A numeric attribute; ValueError where the function lacks it."""
    value = composite.attribute(name)
    if not isinstance(value, int | float):
        raise ValueError(f"the attribute {name} is missing")
    return float(value)


def stored_constants(composite: Composite) -> list[np.ndarray]:
    """The integer constants under a dequantize, in the order of the body."""
    operands = [call.args[0] for call in composite.calls("relax.dequantize")]
    return [tvm_adapter.constant_value(operand) for operand in operands if tvm_adapter.is_constant(operand)]


def tensors(
    composite: Composite, inputs: Sequence[Quantization], output: Quantization
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """(input, states...) and (output, states...) of a function whose result is a tuple.

    inputs: scale and zero point of the input and of each state.
    """
    parameters = zip(composite.function.params, inputs, strict=True)
    results = zip(tvm_adapter.returned(composite.function), [output, *inputs[1:]], strict=True)
    return (
        tuple(
            Tensor(tvm_adapter.shape_of(expr), tvm_adapter.dtype_of(expr), scale, zero_point, parameter=index)
            for index, (expr, (scale, zero_point)) in enumerate(parameters)
        ),
        tuple(
            Tensor(tvm_adapter.shape_of(expr), tvm_adapter.dtype_of(expr), scale, zero_point)
            for expr, (scale, zero_point) in results
        ),
    )
