"""Compute every softmax over the last axis, for which there are kernels.

Before: softmax(x, axis=1)
After:  permute_dims(softmax(permute_dims(x, [0, 2, 3, 1]), axis=-1), [0, 3, 1, 2])
Requires: nothing; `EliminateTransposes` cancels the transposes with others, and has integers moved.
"""

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.passes.dataflow_rewriter import DataflowRewriter


class _Mover(DataflowRewriter):
    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        if name != "relax.nn.softmax":
            return call
        rank = len(tvm_adapter.shape_of(call.args[0]))
        axis = int(call.attrs.axis) % rank
        if axis == rank - 1:
            return call
        order = [*range(axis), *range(axis + 1, rank), axis]
        inverse = [order.index(index) for index in range(rank)]
        moved = self.emit(relax.op.permute_dims(call.args[0], order))
        return relax.op.permute_dims(self.emit(relax.op.nn.softmax(moved, -1)), inverse)


@tvm.transform.module_pass(opt_level=1, name="SoftmaxOverLastAxis")
class SoftmaxOverLastAxis:
    """Transpose what a softmax over another axis reads and computes."""

    def transform_module(self, module: tvm.IRModule, context: tvm.transform.PassContext) -> tvm.IRModule:
        """Module pass; see above."""
        return _Mover(module).run()
