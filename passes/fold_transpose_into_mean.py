"""Take a mean or sum over the axes of the tensor before its transpose.

Before:  lv = permute_dims(x); lv1 = quantize(mean(dequantize(lv), axis=[2]))
After:   lv1 = quantize(mean(dequantize(x), axis=[1]))
Requires: split_shared_dequantize. Refused where the kept dimensions end up in another order.
"""

import tvm
from tvm import relax

from tinycc import tvm_adapter

_REDUCTIONS = {"relax.mean": relax.op.mean, "relax.sum": relax.op.sum}


@relax.expr_functor.mutator
class _Folder(relax.PyExprMutator):
    def visit_call_(self, call: relax.Call) -> relax.Expr:  # noqa: D102
        call = super().visit_call_(call)
        reduction = _REDUCTIONS.get(tvm_adapter.op_name(call))
        if reduction is None or not isinstance(call.args[0], relax.Var) or call.attrs.axis is None:
            return call
        dequantize = self.lookup_binding(call.args[0])
        if dequantize is None or tvm_adapter.op_name(dequantize) != "relax.dequantize":
            return call
        stored = dequantize.args[0]
        transpose = self.lookup_binding(stored) if isinstance(stored, relax.Var) else None
        if transpose is None or tvm_adapter.op_name(transpose) != "relax.permute_dims":
            return call
        order = [int(axis) for axis in transpose.attrs.axes]
        reduced = {int(axis) % len(order) for axis in call.attrs.axis}
        kept = [order[axis] for axis in range(len(order)) if axis not in reduced]
        if kept != sorted(kept) or call.attrs.keepdims:
            return call
        source = relax.op.dequantize(
            transpose.args[0], *dequantize.args[1:3], axis=0, out_dtype=dequantize.attrs.out_dtype
        )
        return reduction(self.builder_.emit(source), sorted(order[axis] for axis in reduced), False)


@relax.transform.function_pass(opt_level=0, name="FoldTransposeIntoMean")
class FoldTransposeIntoMean:
    """Function pass; see above."""

    def transform_function(
        self, function: relax.Function, module: tvm.IRModule, _context: tvm.transform.PassContext
    ) -> relax.Function:
        """Rewrite the reductions, then drop the transposes that nothing reads any more."""
        names = {tvm_adapter.op_name(binding.value) for binding in tvm_adapter.bindings_of(function)}
        if "relax.permute_dims" not in names or not names & set(_REDUCTIONS):
            return function
        return relax.analysis.remove_all_unused(_Folder(module).visit_expr(function))
