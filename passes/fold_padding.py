"""Take explicit padding into the convolution that reads it.

Before:  lv = pad(x, zero point); lv1 = conv2d(dequantize(lv), ...)
After:   lv1 = conv2d(dequantize(x), ..., padding enlarged)
Requires: split_shared_dequantize. Refused where the padding is not by the zero point or reaches into batch
or channels;
         a convolution's own padding is by the zero point too, so the two add up.
"""

import tvm
from tvm import relax

from tinycc import tvm_adapter


@relax.expr_functor.mutator
class _Folder(relax.PyExprMutator):
    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = super().visit_call_(call)
        if tvm_adapter.op_name(call) != "relax.nn.conv2d":
            return call
        dequantize = self.lookup_binding(call.args[0]) if isinstance(call.args[0], relax.Var) else None
        if dequantize is None or tvm_adapter.op_name(dequantize) != "relax.dequantize":
            return call
        stored = dequantize.args[0]
        pad = self.lookup_binding(stored) if isinstance(stored, relax.Var) else None
        if pad is None or tvm_adapter.op_name(pad) != "relax.nn.pad":
            return call
        widths = [int(width) for width in pad.attrs.pad_width]
        zero_point = int(tvm_adapter.constant_value(dequantize.args[2]))
        spatial_only = len(widths) == 8 and not any(widths[:2] + widths[6:])
        if not spatial_only or pad.attrs.pad_mode != "constant" or float(pad.attrs.pad_value) != zero_point:
            return call
        top, bottom, left, right = widths[2:6]
        padding = [int(size) for size in call.attrs.padding]
        source = relax.op.dequantize(
            pad.args[0],
            *dequantize.args[1:3],
            axis=dequantize.attrs.axis,
            out_dtype=dequantize.attrs.out_dtype,
        )
        return tvm_adapter.conv2d_like(
            call,
            self.builder_.emit(source),
            call.args[1],
            padding=[padding[0] + top, padding[1] + left, padding[2] + bottom, padding[3] + right],
        )


@relax.transform.function_pass(opt_level=1, name="FoldPadding")
class FoldPadding:
    """Function pass; see above."""

    def transform_function(
        self, function: relax.Function, module: tvm.IRModule, _context: tvm.transform.PassContext
    ) -> relax.Function:
        """Rewrite the convolutions, then drop the padding that nothing reads any more."""
        if not any(tvm_adapter.op_name(b.value) == "relax.nn.pad" for b in tvm_adapter.bindings_of(function)):
            return function
        return relax.analysis.remove_all_unused(_Folder(module).visit_expr(function))
