"""Writing composite functions that no pattern finds: operators that a pass makes, or makes anew."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from tvm import relax

from tinycc import tvm_adapter

# Binds an expression to a variable, whose type is then known.
Emit: TypeAlias = Callable[[relax.Expr], relax.Var]


def write_composite(
    kind: str,
    operands: Mapping[str, relax.Expr],
    body: Callable[..., relax.Expr],
    attributes: Mapping[str, object] | None = None,
) -> relax.Function:
    """The composite function of an operator.

    operands: by name. A variable stands for a parameter of its type; a constant comes to lie in the function.
    body: makes the result, given `Emit` and the operands as the function has them.
    attributes: integers, numbers, texts and lists of them that the operator's view reads again.
    """
    parameters = {name: relax.Var(name, item.ty) for name, item in operands.items() if _is_variable(item)}
    builder = relax.BlockBuilder()
    with builder.function(kind, list(parameters.values()), private=True):
        with builder.dataflow():
            inside = [parameters.get(name, operand) for name, operand in operands.items()]
            result = builder.emit_output(body(builder.emit, *inside))
        builder.emit_func_output(result)
    function = builder.get()[kind]
    return function.with_attrs({"Composite": f"tinycc.{kind}", "Primitive": True, **(attributes or {})})


def rewrite_composite(
    function: relax.Function,
    parameters: Sequence[relax.Var],
    rewrite: Callable[[relax.Call, Emit], relax.Expr],
) -> relax.Function:
    """A composite function with other parameters, of which the types of all that it computes follow.

    rewrite: makes what takes the place of a call, whose operands are new already.
    """
    values: dict[relax.Var, relax.Expr] = dict(zip(function.params, parameters, strict=True))
    builder = relax.BlockBuilder()
    with tvm_adapter.unwinding(builder), builder.function("rewritten", list(parameters), private=True):
        with builder.dataflow():
            for binding in tvm_adapter.bindings_of(function):
                call = tvm_adapter.substitute(binding.value, values)
                values[binding.var] = builder.emit(rewrite(call, builder.emit))
            result = builder.emit_output(tvm_adapter.substitute(function.body.body, values))
        builder.emit_func_output(result)
    return builder.get()["rewritten"].with_attrs(dict(function.attrs.items()))


def _is_variable(operand: relax.Expr) -> bool:
    return isinstance(operand, relax.Var)
