"""A batch normalization in inference is a factor and an offset for each channel.

Before:  batch_norm(x, gamma, beta, mean, variance)[0]
After:   add(multiply(x, gamma / sqrt(variance + epsilon)), beta - mean * gamma / sqrt(variance + epsilon))
Requires: statistics that are constants. Behind a layer fold_into_products takes both into its constants.
"""

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.passes.dataflow_rewriter import DataflowRewriter


class _Writer(DataflowRewriter):
    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        if name != "relax.nn.batch_norm" or not all(map(tvm_adapter.is_constant, call.args[1:])):
            return call
        gamma, beta, mean, variance = (
            tvm_adapter.constant_value(operand).astype(np.float64) for operand in call.args[1:]
        )
        attributes, rank = call.attrs, len(tvm_adapter.shape_of(call.args[0]))
        factor = (gamma if attributes.scale else 1.0) / np.sqrt(variance + float(attributes.epsilon))
        offset = (beta if attributes.center else 0.0) - mean * factor
        shape = [1] * rank
        shape[int(attributes.axis) % rank] = -1
        constants = [
            tvm_adapter.make_constant(item.reshape(shape).astype(np.float32)) for item in (factor, offset)
        ]
        scaled = self.emit(relax.op.multiply(call.args[0], constants[0]))
        return relax.Tuple([self.emit(relax.op.add(scaled, constants[1])), *call.args[3:5]])


@tvm.transform.module_pass(opt_level=0, name="WriteOutBatchNorm")
class WriteOutBatchNorm:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rewrite the batch normalizations of `main`."""
        return _Writer(module).run()
