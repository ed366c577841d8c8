"""The module that a scheduled one came from: every operator once, on whole tensors."""

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.base import REPEATED
from tinycc.ops.input_rows import ROW_INPUT

COMPOSITE = "Composite"
STAGE = "tinycc.stage"


def whole_tensors(module: tvm.IRModule) -> tvm.IRModule:
    """`module` with each stage's operators called one after the other by main, and nothing repeated.

    Its input is in memory whole.
    """
    main = module["main"]
    composites = {}
    functions = tvm_adapter.FunctionTable(tvm.IRModule(attrs=module.attrs))
    for variable, function in module.functions.items():
        if tvm_adapter.attribute(function, COMPOSITE) is not None:
            composites[variable] = function
        elif variable.name_hint != "main":
            functions.add(function, variable.name_hint)
    bindings: list[relax.VarBinding] = []
    for binding in tvm_adapter.bindings_of(main):
        value = binding.value
        function = composites.get(value.op) if isinstance(value, relax.Call) else None
        if function is None:
            bindings.append(binding)
        elif tvm_adapter.attribute(function, COMPOSITE) == STAGE:
            bindings += _opened(functions, function, binding)
        else:
            callee = _add(functions, function, value.op.name_hint)
            bindings.append(
                relax.VarBinding(binding.var, relax.Call(callee, value.args, ret_ty=binding.var.ty))
            )
    # What takes rows from outside reads them in memory.
    functions.add(tvm_adapter.with_bindings(main, bindings).without_attr(ROW_INPUT), "main")
    # A repetition has become a second call of the same function.
    once = [relax.transform.Normalize(), tvm_adapter.EliminateCommonSubexpr()]
    return tvm_adapter.run_passes(once, functions.module())


def _add(functions: tvm_adapter.FunctionTable, function: relax.Function, name: str) -> tvm.ir.GlobalVar:
    """The variable of a function; the same one for equal functions, repeated or not."""
    return functions.add(function.without_attr(REPEATED), name)


def _opened(
    functions: tvm_adapter.FunctionTable, stage: relax.Function, binding: relax.VarBinding
) -> list[relax.VarBinding]:
    """The bindings that compute a stage's result; its members become functions of the module."""
    mapping: dict[relax.Var, relax.Expr] = dict(zip(stage.params, binding.value.args, strict=True))
    members: dict[relax.Expr, tvm.ir.GlobalVar] = {}
    bindings = []
    for inner in tvm_adapter.bindings_of(stage):
        if isinstance(inner.value, relax.Function):
            members[inner.var] = _add(functions, inner.value, inner.var.name)
            continue
        value = tvm_adapter.substitute(inner.value, mapping)
        if isinstance(value, relax.Call):
            callee = members.get(value.op, value.op)
            value = relax.Call(callee, value.args, value.attrs, value.ty_args, ret_ty=inner.var.ty)
        mapping[inner.var] = relax.DataflowVar(inner.var.name, inner.var.ty)
        bindings.append(relax.VarBinding(mapping[inner.var], value))
    result = tvm_adapter.substitute(stage.body.body, mapping)
    return [*bindings, relax.VarBinding(binding.var, result)]
