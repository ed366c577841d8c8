"""The scheduled module as other passes and TVM's VM want it."""

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.schedule.whole_tensors import COMPOSITE, STAGE


def well_formed(module: tvm.IRModule) -> tvm.IRModule:
    """The same module with typed calls, variables of its own for each function, and no composite unused.

    Stages hold the functions of their members: TVM's VM runs the module after relax.transform.LambdaLift.
    """
    main = module["main"]
    functions = tvm_adapter.FunctionTable(tvm.IRModule(attrs=module.attrs))
    callees: dict[tvm.ir.GlobalVar, tvm.ir.GlobalVar] = {}
    operators: dict[tvm.ir.GlobalVar, relax.Function] = {}
    used: set[relax.Expr] = set()
    for variable, function in module.functions.items():
        if variable.name_hint != "main" and tvm_adapter.attribute(function, COMPOSITE) is None:
            callees[variable] = functions.add(function, variable.name_hint)
    bindings = []
    for binding in tvm_adapter.bindings_of(main):
        value = binding.value
        if isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.GlobalVar):
            if value.op not in callees:
                function = _with_own_variables(module[value.op], used)
                callees[value.op] = functions.add(function, value.op.name_hint)
                if tvm_adapter.attribute(function, COMPOSITE) != STAGE:
                    operators[callees[value.op]] = function
            value = relax.Call(callees[value.op], value.args, ret_ty=binding.var.ty)
        bindings.append(relax.VarBinding(binding.var, value))
    functions.add(tvm_adapter.with_bindings(main, bindings), "main")
    normal = relax.transform.Normalize()(functions.module())
    for callee, function in operators.items():
        # Nothing is new in them, and whoever knows them finds them as they were.
        normal.update_func(normal.get_global_var(callee.name_hint), function)
    return normal


def _with_own_variables(function: relax.Function, used: set[relax.Expr]) -> relax.Function:
    """The function, or a copy where it, or a function that it binds, has its variables in another one, too.

    used: the bodies of functions that have theirs; this one's are added.
    """
    bound = [
        item.value for item in tvm_adapter.bindings_of(function) if isinstance(item.value, relax.Function)
    ]
    bodies = [function.body, *(item.body for item in bound)]
    is_first = used.isdisjoint(bodies) and len(set(bodies)) == len(bodies)
    used.update(bodies)
    return function if is_first else relax.utils.copy_with_new_vars(function)
