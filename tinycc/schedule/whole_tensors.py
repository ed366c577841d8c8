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
    builder = relax.BlockBuilder(tvm.IRModule(attrs=module.attrs))
    for variable, function in module.functions.items():
        if tvm_adapter.attribute(function, COMPOSITE) is not None:
            composites[variable] = function
        elif variable.name_hint != "main":
            builder.add_func(function, variable.name_hint)
    bindings: list[relax.VarBinding] = []
    for binding in tvm_adapter.bindings_of(main):
        value = binding.value
        function = composites.get(value.op) if isinstance(value, relax.Call) else None
        if function is None:
            bindings.append(binding)
        elif tvm_adapter.attribute(function, COMPOSITE) == STAGE:
            bindings += _opened(builder, function, binding)
        else:
            callee = _add(builder, function, value.op.name_hint)
            bindings.append(
                relax.VarBinding(binding.var, relax.Call(callee, value.args, ret_ty=binding.var.ty))
            )
    body = relax.SeqExpr([relax.DataflowBlock(bindings)], main.body.body)
    edited = relax.Function(main.params, body, main.ret_ty, main.is_pure, main.attrs)
    # What takes rows from outside reads them in memory.
    edited = edited.without_attr(ROW_INPUT)
    builder.add_func(edited, "main")
    # A repetition has become a second call of the same function.
    once = [relax.transform.Normalize(), tvm_adapter.EliminateCommonSubexpr()]
    return tvm_adapter.run_passes(once, builder.get())


def _add(builder: relax.BlockBuilder, function: relax.Function, name: str) -> tvm.ir.GlobalVar:
    """The variable of a function; the same one for equal functions, repeated or not."""
    return builder.add_func(function.without_attr(REPEATED), name)


def _opened(
    builder: relax.BlockBuilder, stage: relax.Function, binding: relax.VarBinding
) -> list[relax.VarBinding]:
    """The bindings that compute a stage's result; its members become functions of the module."""
    mapping: dict[relax.Var, relax.Expr] = dict(zip(stage.params, binding.value.args, strict=True))
    members: dict[relax.Expr, tvm.ir.GlobalVar] = {}
    bindings = []
    for inner in tvm_adapter.bindings_of(stage):
        if isinstance(inner.value, relax.Function):
            members[inner.var] = _add(builder, inner.value, inner.var.name)
            continue
        value = tvm_adapter.substitute(inner.value, mapping)
        if isinstance(value, relax.Call):
            callee = members.get(value.op, value.op)
            value = relax.Call(callee, value.args, value.attrs, value.ty_args, ret_ty=inner.var.ty)
        mapping[inner.var] = relax.DataflowVar(inner.var.name, inner.var.ty)
        bindings.append(relax.VarBinding(mapping[inner.var], value))
    result = tvm_adapter.substitute(stage.body.body, mapping)
    return [*bindings, relax.VarBinding(binding.var, result)]
