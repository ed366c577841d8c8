"""Take explicit padding into the convolution that reads it.

Before:  lv = pad(x, zero point); lv1 = conv2d(dequantize(lv), ...)
After:   lv1 = conv2d(dequantize(x), ..., padding enlarged); the same where nothing is quantized
Requires: split_shared_dequantize. Refused where the padding is not by the zero point or reaches into batch
or channels;
         a convolution's own padding is by the zero point too, so the two add up.
"""

from typing import Any

import tvm
from tvm import relax

from tinycc import tvm_adapter


@relax.expr_functor.mutator
class _Folder(relax.PyExprMutator):
    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = super().visit_call_(call)
        if tvm_adapter.op_name(call) != "relax.nn.conv2d":
            return call
        dequantize = self._producer(call.args[0])
        is_real = tvm_adapter.op_name(dequantize) != "relax.dequantize"
        pad = dequantize if is_real else self._producer(dequantize.args[0])
        if tvm_adapter.op_name(pad) != "relax.nn.pad":
            return call
        widths = [int(width) for width in pad.attrs.pad_width]
        zero_point = 0 if is_real else int(tvm_adapter.constant_value(dequantize.args[2]))
        spatial_only = len(widths) == 8 and not any(widths[:2] + widths[6:])
        if not spatial_only or pad.attrs.pad_mode != "constant" or float(pad.attrs.pad_value) != zero_point:
            return call
        top, bottom, left, right = widths[2:6]
        padding = [int(size) for size in call.attrs.padding]
        source = pad.args[0]
        if not is_real:
            source = self.builder_.emit(
                relax.op.dequantize(
                    source,
                    *dequantize.args[1:3],
                    axis=dequantize.attrs.axis,
                    out_dtype=dequantize.attrs.out_dtype,
                )
            )
        return tvm_adapter.conv2d_like(
            call,
            source,
            call.args[1],
            padding=[padding[0] + top, padding[1] + left, padding[2] + bottom, padding[3] + right],
        )

    def _producer(self, expr: relax.Expr) -> Any:
        """What computes a variable; None for what nothing computes."""
        return self.lookup_binding(expr) if isinstance(expr, relax.Var) else None


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
