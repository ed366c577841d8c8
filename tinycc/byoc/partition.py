"""Choosing the regions of a module that tinycc compiles: as many of its operators in one as can be."""

import tvm
from tvm import relax

from tinycc import edges, states, tvm_adapter
from tinycc.byoc.backend import register
from tinycc.byoc.file_edges import FileEdges
from tinycc.byoc.region import composites_of, flat, with_name
from tinycc.ops import fusion_patterns
from tinycc.ops.composite import VIEWS
from tinycc.ops.quantize import Dequantize, Quantize
from tinycc.passes.infer_edges import InferEdges, has_edges
from tinycc.passes.lower_fallbacks import composite_of, refusal
from tinycc.passes.pipeline import fusing_passes, import_passes, quantized_passes

CODEGEN = "tinycc"
VIEW = f"{CODEGEN}.view"
# What is not worth a region of its own.
_IDLE = {VIEW, *(f"{CODEGEN}.{operator.kind}" for operator in (Quantize, Dequantize))}


def partition_for_tinycc(module: tvm.IRModule) -> tvm.IRModule:
    """The module with what tinycc has kernels for in functions that `relax.transform.RunCodegen` hands it.

    module: with one public function, from one of TVM's importers or alike. Constants that an importer kept as
    parameters are bound, a batch that is not stated is 1; the function keeps its name, and its parameters and
    results else. What tinycc has no kernel for is left to TVM.

    After it `relax.transform.RunCodegen` knows tinycc, whether or not TVM has loaded its entry point.

    Raises UnsupportedError for a module that is not one model of static shapes.
    """
    register()
    public = [str(name.name_hint) for name, item in module.functions.items() if tvm_adapter.is_public(item)]
    # With edges a module is in the normal form already.
    is_normal = any(map(has_edges, module.functions.values()))
    first = [InferEdges()] if is_normal else import_passes()
    passes = [*first, *quantized_passes(), FileEdges(), *fusing_passes()]
    module = tvm_adapter.run_passes(passes, _as_tvm_sees_it(module))
    module = _with_views(_without_refused(module))
    module = tvm_adapter.run_passes([relax.transform.MergeCompositeFunctions()], module)
    return _named(_without_idle(module), public[0])


def _as_tvm_sees_it(module: tvm.IRModule) -> tvm.IRModule:
    """The module without what tinycc's doors say of parameters and results, which stay what they are."""
    plain = module.clone()
    for variable, function in module.functions.items():
        for name in (edges.ATTRIBUTE, states.ATTRIBUTE):
            if function.attrs is not None and name in function.attrs:
                function = function.without_attr(name)
        plain.update_func(variable, function)
    return plain


def _without_refused(module: tvm.IRModule) -> tvm.IRModule:
    """Composites that no kernel computes are operators again."""
    patterns = {pattern.name for pattern in fusion_patterns()}
    refused = {}
    for variable, function in module.functions.items():
        composite = tvm_adapter.attribute(function, "Composite")
        if composite is None:
            continue
        if composite not in patterns or refusal(function) is not None:
            refused[variable] = function.without_attr("Composite")
    return _inlined(module, refused)


def _with_views(module: tvm.IRModule) -> tvm.IRModule:
    """Views between composites are composites, too, so that they cut no region in two."""
    main = module["main"]
    bindings = list(tvm_adapter.bindings_of(main))
    composites = {
        binding.var
        for binding in bindings
        if _callee_attribute(module, binding.value, "Composite") is not None
    }
    is_inner = _after(composites, bindings) & _before(composites, bindings)
    functions = tvm_adapter.FunctionTable(module)
    rebuilt = []
    for binding in bindings:
        value = binding.value
        if binding.var in is_inner and tvm_adapter.op_name(value) in VIEWS:
            variables = tvm_adapter.variables_of(value)
            function = functions.add(composite_of(value, variables, VIEW), "view")
            value = relax.Call(function, variables, ret_ty=value.ty)
        rebuilt.append(relax.VarBinding(binding.var, value))
    return tvm_adapter.run_passes(
        [relax.transform.Normalize()], tvm_adapter.rebuild_main(functions.module(), rebuilt)
    )


def _after(composites: set[relax.Var], bindings: list[relax.VarBinding]) -> set[relax.Var]:
    """What composites compute, and views of it."""
    found = set(composites)
    for binding in bindings:
        if tvm_adapter.op_name(binding.value) in VIEWS and binding.value.args[0] in found:
            found.add(binding.var)
    return found


def _before(composites: set[relax.Var], bindings: list[relax.VarBinding]) -> set[relax.Var]:
    """What composites read, and what views of it are made of."""
    found: set[relax.Var] = set()
    for binding in reversed(bindings):
        is_inner_view = tvm_adapter.op_name(binding.value) in VIEWS and binding.var in found
        if binding.var in composites or is_inner_view:
            found.update(tvm_adapter.variables_of(binding.value))
    return found


def _callee_attribute(module: tvm.IRModule, value: relax.Expr, name: str) -> str | None:
    """An attribute of the function of the module that a binding calls; None where it calls none."""
    if not isinstance(value, relax.Call) or not isinstance(value.op, tvm.ir.GlobalVar):
        return None
    return tvm_adapter.attribute(module[value.op], name)


def _without_idle(module: tvm.IRModule) -> tvm.IRModule:
    """Regions that only convert are operators again."""
    idle = {
        variable: flat(function)
        for variable, function in module.functions.items()
        if tvm_adapter.attribute(function, "Codegen") == CODEGEN and set(composites_of(function)) <= _IDLE
    }
    return _inlined(module, idle)


def _inlined(module: tvm.IRModule, functions: dict[tvm.ir.GlobalVar, relax.Function]) -> tvm.IRModule:
    """`main` with the operators of `functions` in place of their calls."""
    kept = {variable: item for variable, item in module.functions.items() if variable not in functions}
    result = tvm.IRModule(kept, attrs=module.attrs)
    result.update_func(result.get_global_var("main"), module["main"].inline_functions(functions))
    return tvm_adapter.run_passes([relax.transform.Normalize()], result)


def _named(module: tvm.IRModule, entry: str) -> tvm.IRModule:
    """`main` called `entry` again, and the regions <entry>_tinycc_0, ... in the order of their calls."""
    main = module["main"]
    others = {
        variable: function
        for variable, function in module.functions.items()
        if variable.name_hint != "main" and tvm_adapter.attribute(function, "Codegen") != CODEGEN
    }
    functions = tvm_adapter.FunctionTable(tvm.IRModule(others, attrs=module.attrs))
    regions: dict[tvm.ir.GlobalVar, tvm.ir.GlobalVar] = {}
    rebuilt = []
    for binding in tvm_adapter.bindings_of(main):
        value = binding.value
        if _callee_attribute(module, value, "Codegen") == CODEGEN:
            if value.op not in regions:
                name = f"{entry}_{CODEGEN}_{len(regions)}"
                regions[value.op] = functions.add(with_name(module[value.op], name), name)
            value = relax.Call(regions[value.op], value.args, ret_ty=value.ty)
        rebuilt.append(relax.VarBinding(binding.var, value))
    result = functions.module()
    result[entry] = tvm_adapter.with_bindings(main, rebuilt).with_attr("global_symbol", entry)
    return tvm_adapter.run_passes([relax.transform.Normalize()], result)
