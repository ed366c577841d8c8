"""Give every computation without a kernel to TVM's C code generator.

Before:  lv2 = erf(lv1); lv3 = fused_softmax(lv2), of which tinycc's kernel cannot do this axis
After:   lv2 = fused_erf(lv1); lv3 = fused_softmax(lv2), both private functions with the attribute
         Composite = "tinycc.fallback" and the same bodies; the latter with the reason as another attribute
Requires: fuse_quantized_ops.
"""

import tvm
from tvm import relax
from tvm.relax.dpl import is_op
from tvm.relax.transform import FusionPattern

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.ops import fusion_patterns, view_of
from tinycc.ops.composite import VIEWS
from tinycc.ops.fallback import REASON, Fallback

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
            if tvm_adapter.attribute(function, "Composite") not in fused:
                continue
            reason = _refusal(function)
            if reason is not None:
                edited = function.with_attrs({"Composite": _COMPOSITE, REASON: reason})
                rewritten.update_func(variable, edited)
        names = {tvm_adapter.op_name(binding.value) for binding in tvm_adapter.bindings_of(rewritten["main"])}
        patterns = [
            FusionPattern(_COMPOSITE, is_op(name)(varg_default_wildcard=True))
            for name in sorted(names - {"", *VIEWS})
        ]
        if patterns:
            rewritten = relax.transform.FuseOpsByPattern(patterns, bind_constants=True)(rewritten)
        for function in rewritten.functions.values():
            if tvm_adapter.attribute(function, "Composite") == _COMPOSITE:
                view_of(function)
        return rewritten


def _refusal(function: relax.Function) -> str | None:
    """Why no kernel computes a composite; None if one does."""
    try:
        view_of(function).kernel()
    except (UnsupportedError, ValueError) as error:
        return str(error)
    return None
