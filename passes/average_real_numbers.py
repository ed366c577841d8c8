"""Averages of integers are averages of the real numbers that they stand for, rounded.

Before:  astype(avg_pool2d(astype(x: int8, int32)), int8), x = quantize(y, s, z)
After:   quantize(avg_pool2d(dequantize(x, s, z)), s, z)
Requires: quantize as canonicalize_quantization writes it. Where nothing tells what the integers stand for
          they stand for themselves, which gives the same integers.

TVM's importer of TFLite files writes AVERAGE_POOL_2D so; its int32 loses the fraction that TFLite rounds.
"""

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.passes.dataflow_rewriter import DataflowRewriter
from tinycc.passes.move_to_integers import CLAMPS, MOVING


class _Averager(DataflowRewriter):
    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        pool = self.producer(call.args[0]) if name == "relax.astype" else None
        if pool is None or tvm_adapter.op_name(pool) != "relax.nn.avg_pool2d":
            return call
        widened = self.producer(pool.args[0])
        if tvm_adapter.op_name(widened) != "relax.astype":
            return call
        integers, dtype = widened.args[0], str(call.attrs.dtype)
        if dtype not in ("int8", "int16", "uint8") or tvm_adapter.dtype_of(integers) != dtype:
            return call
        meaning = self._meaning(integers)
        real = self.emit(relax.op.dequantize(integers, *meaning, axis=0))
        average = self.emit(relax.Call(pool.op, [real], pool.attrs))
        return relax.op.quantize(average, *meaning, axis=0, out_dtype=dtype)

    def _meaning(self, integers: relax.Expr) -> list[relax.Expr]:
        """The scale and the zero point of what moved and chosen integers were before."""
        call = self.producer(integers)
        while tvm_adapter.op_name(call) in (*MOVING, *CLAMPS):
            call = self.producer(call.args[0])
        if tvm_adapter.op_name(call) == "relax.quantize" and not tvm_adapter.shape_of(call.args[1]):
            return list(call.args[1:3])
        return [tvm_adapter.make_constant(np.asarray(number)) for number in (np.float32(1), np.int32(0))]


@tvm.transform.module_pass(opt_level=0, name="AverageRealNumbers")
class AverageRealNumbers:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rewrite averages in `main`."""
        return _Averager(module).run()
