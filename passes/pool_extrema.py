"""Write the largest and smallest elements along axes as pooling, which has kernels that go by rows.

Before: max(x: int8 [1, h, w, c], axis=[1, 2]), min(x, axis=[3])
After:  reshape(max_pool2d(x, [h, w])), the same of ~x and ~(...), or -x and -(...), for a minimum
Requires: integers that pooling has a kernel for, or float32.
"""

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.passes.dataflow_rewriter import DataflowRewriter


class _Pooler(DataflowRewriter):
    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        types = {"relax.max": ("int8", "int16", "float32"), "relax.min": ("int8", "float32")}
        source = call.args[0] if name in types else None
        if source is None or tvm_adapter.dtype_of(source) not in types[name]:
            return call
        rank = len(tvm_adapter.shape_of(source))
        given = range(rank) if call.attrs.axis is None else call.attrs.axis
        axes = sorted(int(axis) % rank for axis in given)
        if name == "relax.min":
            source = self._complement(source, 0, -1)
        result = self._largest(source, axes)
        result = self.emit(relax.op.reshape(result, tvm_adapter.shape_of(self.builder.normalize(call))))
        return self._complement(result, -1, 0) if name == "relax.min" else result

    def _largest(self, source: relax.Expr, axes: list[int]) -> relax.Expr:
        """The largest elements along `axes`, in any shape."""
        shape = tvm_adapter.shape_of(source)
        if len(shape) == 4 and set(axes) <= {1, 2}:
            return self._pooled(source, [shape[axis] if axis in axes else 1 for axis in (1, 2)])
        sizes = list(shape)
        for axis in axes:
            outer, inner = int(np.prod(sizes[:axis])), int(np.prod(sizes[axis + 1 :]))
            image = self.emit(relax.op.reshape(source, [1, outer, sizes[axis], inner]))
            source = self._pooled(image, [1, sizes[axis]])
            sizes[axis] = 1
        return source

    def _pooled(self, image: relax.Expr, window: list[int]) -> relax.Expr:
        pooled = relax.op.nn.max_pool2d(image, window, window, layout="NHWC", out_layout="NHWC")
        return self.emit(pooled)

    def _complement(self, source: relax.Expr, before: int, after: int) -> relax.Expr:
        """~x = -x - 1, by which the smallest becomes the largest: -x with other zero points, or -x itself."""
        if tvm_adapter.dtype_of(source) == "float32":
            return self.emit(relax.op.negative(source))
        scale = relax.const(1.0, "float32")
        real = self.emit(relax.op.dequantize(source, scale, relax.const(before, "int32"), axis=0))
        negative = self.emit(relax.op.negative(real))
        return self.emit(
            relax.op.quantize(negative, scale, relax.const(after, "int32"), axis=0, out_dtype="int8")
        )


@tvm.transform.module_pass(opt_level=1, name="PoolExtrema")
class PoolExtrema:
    """Rewrite `max` and `min` in `main`."""

    def transform_module(self, module: tvm.IRModule, context: tvm.transform.PassContext) -> tvm.IRModule:
        """Module pass; see above."""
        return _Pooler(module).run()
