"""How the readers of a tensor transpose it."""

from tvm import relax

from tinycc import tvm_adapter
from tinycc.states import state_parameters

Axes = tuple[int, ...]

# What keeps a transpose as it is, element by element.
UNARY = (
    "relax.quantize", "relax.dequantize", "relax.clip", "relax.nn.relu", "relax.nn.relu6",
    "relax.nn.leakyrelu", "relax.sigmoid", "relax.tanh", "relax.abs", "relax.negative", "relax.exp",
    "relax.sqrt", "relax.astype", "relax.round", "relax.erf", "relax.log", "relax.floor", "relax.ceil",
    "relax.rsqrt", "relax.square", "relax.sin", "relax.cos", "relax.sign", "relax.nn.silu", "relax.nn.gelu",
    "relax.nn.gelu_tanh", "relax.nn.selu", "relax.nn.softplus",
)  # fmt: skip
RESHAPES = ("relax.reshape", "relax.squeeze", "relax.expand_dims")


class TransposeWishes:
    """For the tensors of a function: the transpose that all readers of one want, if they want the same."""

    def __init__(self, function: relax.Function) -> None:
        self._wishes: dict[relax.Var, set[Axes | None]] = {
            variable: {None} for variable in tvm_adapter.returned(function)
        }
        # Readers first: what is wished of their results is wished of what they read.
        for binding in reversed(list(tvm_adapter.bindings_of(function))):
            wishes = self._of_operand(binding)
            for operand in tvm_adapter.variables_of(binding.value):
                self._wishes.setdefault(operand, set()).update(wishes)

    def of(self, variable: relax.Var) -> Axes | None:
        """The axes of the transpose, at once or after element-wise operators; None where they differ."""
        wishes = list(self._wishes.get(variable, {None}))
        return wishes[0] if len(wishes) == 1 else None

    def _of_operand(self, binding: relax.VarBinding) -> set[Axes | None]:
        """What a reader wishes of its operands."""
        name, wishes = tvm_adapter.op_name(binding.value), self._wishes.get(binding.var, {None})
        if name == "relax.permute_dims" and binding.value.attrs.axes is not None:
            return {tuple(int(axis) for axis in binding.value.attrs.axes)}
        if name in UNARY:
            return wishes
        if name in RESHAPES:
            return {_through_reshape(binding, axes) for axes in wishes}
        return {None}


def wanted_inputs(function: relax.Function) -> dict[int, Axes]:
    """For each input that all readers transpose alike: how."""
    wishes = TransposeWishes(function)
    inputs = list(function.params)[: len(function.params) - len(state_parameters(function))]
    wanted = {index: wishes.of(parameter) for index, parameter in enumerate(inputs)}
    return {index: axes for index, axes in wanted.items() if axes is not None}


def large_axes(shape: tuple[int, ...]) -> list[int]:
    """The axes of more than one element."""
    return [axis for axis, size in enumerate(shape) if size != 1]


def _through_reshape(binding: relax.VarBinding, axes: Axes | None) -> Axes | None:
    """A wish for a reshape's result as one for its operand; None where more than axes of size 1 differ."""
    before, after = tvm_adapter.shape_of(binding.value.args[0]), tvm_adapter.shape_of(binding.var)
    positions = large_axes(before)
    if axes is None or [before[axis] for axis in positions] != [after[axis] for axis in large_axes(after)]:
        return None
    order = [positions[large_axes(after).index(axis)] for axis in axes if after[axis] != 1]
    wish = list(range(len(before)))
    for position, axis in zip(positions, order, strict=True):
        wish[position] = axis
    return tuple(wish)
