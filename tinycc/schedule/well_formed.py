"""The scheduled module as other passes and TVM's VM want it."""

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.schedule.whole_tensors import COMPOSITE


def well_formed(module: tvm.IRModule) -> tvm.IRModule:
    """The same module with typed calls, variables of its own for each function, and no composite unused.

    Stages hold the functions of their members: TVM's VM runs the module after relax.transform.LambdaLift.
    """
    main = module["main"]
    builder = relax.BlockBuilder(tvm.IRModule(attrs=module.attrs))
    callees: dict[tvm.ir.GlobalVar, tvm.ir.GlobalVar] = {}
    for variable, function in module.functions.items():
        if variable.name_hint != "main" and tvm_adapter.attribute(function, COMPOSITE) is None:
            callees[variable] = builder.add_func(function, variable.name_hint)
    bindings = []
    for binding in tvm_adapter.bindings_of(main):
        value = binding.value
        if isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.GlobalVar):
            if value.op not in callees:
                function = relax.utils.copy_with_new_vars(module[value.op])
                callees[value.op] = builder.add_func(function, value.op.name_hint)
            value = relax.Call(callees[value.op], value.args, ret_ty=binding.var.ty)
        bindings.append(relax.VarBinding(binding.var, value))
    body = relax.SeqExpr([relax.DataflowBlock(bindings)], main.body.body)
    builder.add_func(relax.Function(main.params, body, main.ret_ty, main.is_pure, main.attrs), "main")
    return relax.transform.Normalize()(builder.get())
