"""Give every computation without a kernel to TVM's C code generator.

Before:  lv2 = erf(lv1); lv3 = fused_softmax(lv2), of which tinycc's kernel cannot do this axis
After:   lv2 = fused_erf(lv1); lv3 = fused_softmax(lv2), both private functions with the attribute
         Composite = "tinycc.fallback" and the same bodies; the latter with the reason as another attribute
Requires: fuse_quantized_ops.
"""

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.graph import view_of
from tinycc.ops import fusion_patterns
from tinycc.ops.composite import VIEWS
from tinycc.ops.fallback import REASON, Fallback
from tinycc.ops.quantize import Dequantize
from tinycc.passes.fold_into_products import PRODUCTS

# Why a layer is a fallback whose int8 weights somebody has made floats of.
FLOAT_WEIGHTS = "float weights beside a quantized input"

_COMPOSITE = f"tinycc.{Fallback.kind}"


@tvm.transform.module_pass(opt_level=0, name="LowerFallbacks")
class LowerFallbacks:
    """Module pass; see above. Raises UnsupportedError for what TVM cannot lower either."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rename composites whose kernels refuse them, and make composites of the calls left in `main`."""
        rewritten = tvm.IRModule(dict(module.functions), attrs=module.attrs)
        # Composites of the frontends have integer semantics of their own, which their bodies do not tell.
        fused = {pattern.name for pattern in fusion_patterns()}
        for variable, function in module.functions.items():
            composite = tvm_adapter.attribute(function, "Composite")
            reason = None if composite is None else refusal(function)
            if reason is not None and composite not in fused:
                raise UnsupportedError(f"{str(composite).removeprefix('tinycc.')}: {reason}")
            if reason is not None:
                edited = function.with_attrs({"Composite": _COMPOSITE, REASON: reason})
                rewritten.update_func(variable, edited)
        rewritten = _with_composites(rewritten)
        for function in rewritten.functions.values():
            if tvm_adapter.attribute(function, "Composite") == _COMPOSITE:
                view_of(function)
        return rewritten


def refusal(function: relax.Function) -> str | None:
    """Why no kernel computes a composite; None if one does."""
    try:
        view_of(function).call()
    except (UnsupportedError, ValueError) as error:
        return str(error)
    return None


def _with_composites(module: tvm.IRModule) -> tvm.IRModule:
    """The module with each operator call of `main`, except views, in a composite function of its own."""
    main = module["main"]
    functions = tvm_adapter.FunctionTable(module)
    bindings = []
    values = {binding.var: binding.value for binding in tvm_adapter.bindings_of(main)}
    for binding in tvm_adapter.bindings_of(main):
        name, value = tvm_adapter.op_name(binding.value), binding.value
        if name.startswith("relax.call_"):
            callee = getattr(value.args[0], "name_hint", value.args[0])
            raise UnsupportedError(
                f"{callee} is lowered already: run tinycc's passes before TVM's LegalizeOps; where TVM's "
                "importer has lowered it, compile the model file instead"
            )
        if name and name not in VIEWS:
            variables = list(dict.fromkeys(tvm_adapter.variables_of(value)))
            composite = composite_of(value, variables, _COMPOSITE)
            if name in PRODUCTS and _has_float_weights(module, value, values):
                composite = composite.with_attr(REASON, FLOAT_WEIGHTS)
            function = functions.add(composite, "fallback")
            value = relax.Call(function, variables, ret_ty=value.ty)
        bindings.append(relax.VarBinding(binding.var, value))
    return relax.transform.Normalize()(tvm_adapter.rebuild_main(functions.module(), bindings))


def _has_float_weights(
    module: tvm.IRModule, product: relax.Call, values: dict[relax.Var, relax.Expr]
) -> bool:
    """Whether a layer's weights are the only operand that is not quantized."""
    data, weights = product.args[:2]
    source = values.get(data, data)
    while tvm_adapter.op_name(source) in VIEWS:
        source = values.get(source.args[0], source.args[0])
    if not isinstance(source, relax.Call) or not isinstance(source.op, tvm.ir.GlobalVar):
        return False
    composite = tvm_adapter.attribute(module[source.op], "Composite")
    return composite == f"tinycc.{Dequantize.kind}" and tvm_adapter.is_constant(weights)


def composite_of(call: relax.Call, variables: list[relax.Var], composite: str) -> relax.Function:
    """A private function of `variables` that returns the call; constants stay inside."""
    builder = relax.BlockBuilder()
    parameters = [relax.Var(f"x{index}", variable.ty) for index, variable in enumerate(variables)]
    with builder.function("fallback", parameters, private=True):
        with builder.dataflow():
            value = tvm_adapter.substitute(call, dict(zip(variables, parameters, strict=True)))
            result = builder.emit_output(builder.emit(value))
        builder.emit_func_output(result)
    return builder.get()["fallback"].with_attrs({"Composite": composite, "Primitive": True})
