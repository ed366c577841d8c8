"""Repeat matrices of a product whose operands both are broadcast, as a kernel reads all of them or just one.

Before: matmul(dequantize(a), dequantize(b)), a [2, 1, 4, 7] and b [1, 3, 7, 5]
After:  matmul(dequantize(broadcast_to(a, [2, 3, 4, 7])), dequantize(broadcast_to(b, [2, 3, 7, 5])))
Requires: a scale for each tensor; `RepeatByGathering` finds kernels for the repetition.
"""

import math

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.passes.dataflow_rewriter import DataflowRewriter


class _Broadcaster(DataflowRewriter):
    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        if name != "relax.matmul" or any(not self._is_quantized(operand) for operand in call.args):
            return call
        batches = tvm_adapter.shape_of(self.builder.normalize(call))[:-2]
        operands = [self._repeated(operand, batches) for operand in call.args]
        return relax.Call(call.op, operands, call.attrs, call.ty_args)

    def _is_quantized(self, operand: relax.Expr) -> bool:
        dequantize = self.producer(operand)
        is_scaled = tvm_adapter.op_name(dequantize) == "relax.dequantize"
        return is_scaled and not tvm_adapter.shape_of(dequantize.args[1])

    def _repeated(self, operand: relax.Expr, batches: tuple[int, ...]) -> relax.Expr:
        """`operand` with a matrix for each of the result, where it has several but not all of them."""
        shape = tvm_adapter.shape_of(operand)
        if len(shape) < 2 or math.prod(shape[:-2]) in (1, math.prod(batches)):
            return operand
        dequantize = self.producer(operand)
        stored, target = dequantize.args[0], (*batches, *shape[-2:])
        if tvm_adapter.is_constant(stored):
            value = np.broadcast_to(tvm_adapter.constant_value(stored), target)
            repeated = tvm_adapter.make_constant(np.ascontiguousarray(value))
        else:
            repeated = self.emit(relax.op.broadcast_to(stored, relax.ShapeExpr(target)))
        return self.emit(relax.op.dequantize(repeated, *dequantize.args[1:3], axis=-1))


@tvm.transform.module_pass(opt_level=1, name="BroadcastBatches")
class BroadcastBatches:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rewrite the matrix products of `main`."""
        return _Broadcaster(module).run()
