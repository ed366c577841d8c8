"""Which operators without a kernel are computed together, in one nest of loops.

What computes each element from the elements of the same index takes in the operators that make its operands
and are read by nothing else, where no element would be computed twice; a reduction takes in those that make
what it reduces.
"""

from collections import Counter
from collections.abc import Callable, Sequence

from tvm import relax

from tinycc import tvm_adapter

_NAMED = (
    "abs", "acos", "acosh", "add", "asin", "asinh", "astype", "atan", "atanh", "bitwise_and", "bitwise_not",
    "bitwise_or", "bitwise_xor", "ceil", "clip", "cos", "cosh", "dequantize", "divide", "equal", "erf",
    "exp", "floor", "floor_divide", "floor_mod", "greater", "greater_equal", "isinf", "isnan", "left_shift",
    "less", "less_equal", "log", "logical_and", "logical_not", "logical_or", "logical_xor", "maximum",
    "minimum", "mod", "multiply", "negative", "nn.gelu", "nn.gelu_tanh", "nn.leakyrelu", "nn.relu",
    "nn.silu", "nn.softplus", "not_equal", "power", "quantize", "right_shift", "round", "rsqrt", "sigmoid",
    "sign", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc", "where",
)  # fmt: skip
ELEMENTWISE = frozenset(f"relax.{name}" for name in _NAMED)
# What moves or repeats elements: no more work where it is read.
MOVING = frozenset(
    f"relax.{name}" for name in ("broadcast_to", "flip", "permute_dims", "strided_slice", "take")
)
# What elementwise operators are appended to, element by element as they are done.
PRODUCTS = frozenset(
    f"relax.{name}" for name in ("matmul", "nn.conv1d", "nn.conv2d", "nn.conv3d", "nn.conv2d_transpose")
)
# A mean is none of them: TVM makes a sum of it and a division, and keeps what it would take in.
REDUCTIONS = frozenset(f"relax.{name}" for name in ("max", "min", "prod", "sum"))

Group = list[relax.VarBinding]


def fallback_groups(
    bindings: Sequence[relax.VarBinding],
    results: Sequence[relax.Expr],
    is_fallback: Callable[[relax.VarBinding], bool],
) -> dict[relax.Var, Group]:
    """The groups by the variable that each computes, operators of a group in order; the last is read."""
    uses = Counter(variable for binding in bindings for variable in tvm_adapter.variables_of(binding.value))
    uses.update(result for result in results if isinstance(result, relax.Var))
    groups: dict[relax.Var, Group] = {}
    for binding in filter(is_fallback, bindings):
        group: Group = []
        for variable in dict.fromkeys(tvm_adapter.variables_of(binding.value)):
            made = groups.get(variable)
            if made is not None and uses[variable] == 1 and _takes_in(binding, made[-1]):
                group += groups.pop(variable)
        groups[binding.var] = [*group, binding]
    return groups


def _takes_in(reader: relax.VarBinding, maker: relax.VarBinding) -> bool:
    """Whether an operator computes an operand's elements as it reads them, each once."""
    name, made = tvm_adapter.op_name(reader.value), tvm_adapter.op_name(maker.value)
    if not tvm_adapter.is_tensor(reader.var) or not tvm_adapter.is_tensor(maker.var):
        return False
    if name in ELEMENTWISE and made in ELEMENTWISE | MOVING | PRODUCTS:
        return tvm_adapter.shape_of(reader.var) == tvm_adapter.shape_of(maker.var)
    return name in REDUCTIONS and made in ELEMENTWISE
