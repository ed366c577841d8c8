"""Write repetitions of elements as choices of indices, for which there is a kernel.

Before: tile(x, [1, 2, 1, 1]), repeat(x), flip(x), broadcast_to(x), resize2d(x) nearest that must be clamped
After:  take(x, [0, 1, ..., 0, 1, ...], axis=1)
Requires: integers, NHWC.
"""

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops.resize_positions import COORDINATES, ROUNDINGS, nearest_positions
from tinycc.passes.dataflow_rewriter import DataflowRewriter

NAMES = ("relax.tile", "relax.repeat", "relax.flip", "relax.broadcast_to", "relax.image.resize2d")


class _Gatherer(DataflowRewriter):
    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        if name not in NAMES or tvm_adapter.dtype_of(call.args[0]) not in ("int8", "int16"):
            return call
        source = call.args[0]
        shape = tvm_adapter.shape_of(source)
        if name == "relax.flip":
            axis = int(call.attrs.axis) % len(shape)
            return self._taken(source, {axis: np.arange(shape[axis])[::-1]})
        if name == "relax.repeat":
            if call.attrs.axis is None:
                return call
            axis = int(call.attrs.axis) % len(shape)
            return self._taken(source, {axis: np.repeat(np.arange(shape[axis]), int(call.attrs.repeats))})
        if name == "relax.image.resize2d":
            return self._resized(call)
        target = tvm_adapter.shape_of(self.builder.normalize(call))
        aligned = self._aligned(source, len(target))
        sizes = tvm_adapter.shape_of(aligned)
        # A repetition of one element is a broadcast, too.
        chosen = {
            axis: np.arange(after) % size
            for axis, (size, after) in enumerate(zip(sizes, target, strict=True))
        }
        return self._taken(aligned, chosen)

    def _aligned(self, source: relax.Expr, rank: int) -> relax.Expr:
        """`source` with first axes of size 1 up to `rank`."""
        shape = tvm_adapter.shape_of(source)
        return (
            source
            if len(shape) == rank
            else self.emit(relax.op.reshape(source, [1] * (rank - len(shape)) + list(shape)))
        )

    def _taken(self, source: relax.Expr, chosen: dict[int, np.ndarray]) -> relax.Expr:
        """The last axis first, where the least is copied."""
        for axis, indices in sorted(chosen.items(), reverse=True):
            if not np.array_equal(indices, np.arange(tvm_adapter.shape_of(source)[axis])):
                constant = tvm_adapter.make_constant(np.ascontiguousarray(indices, np.int32))
                source = self.emit(relax.op.take(source, constant, axis, mode="clip"))
        return source

    def _resized(self, call: relax.Call) -> relax.Expr:
        """Nearest neighbours of which some lie beyond the image: rows for a kernel cannot tell."""
        attrs = call.attrs
        coordinates, rounding = str(attrs.coordinate_transformation_mode), str(attrs.rounding_method)
        known = coordinates in COORDINATES and rounding in ROUNDINGS
        if attrs.method != "nearest_neighbor" or attrs.layout != "NHWC" or not known:
            return call
        sizes = tvm_adapter.shape_of(call.args[0])[1:3]
        outputs = tvm_adapter.shape_of(self.builder.normalize(call))[1:3]
        chosen: dict[int, np.ndarray] = {}
        is_inside = True
        for axis, (size, count) in enumerate(zip(sizes, outputs, strict=True), 1):
            indices = nearest_positions(size, count, coordinates, rounding).indices(count)
            chosen[axis] = np.clip(indices, 0, size - 1)
            is_inside = is_inside and np.array_equal(chosen[axis], indices)
        return call if is_inside else self._taken(call.args[0], chosen)


@tvm.transform.module_pass(opt_level=1, name="RepeatByGathering")
class RepeatByGathering:
    """Rewrite repetitions in `main`."""

    def transform_module(self, module: tvm.IRModule, context: tvm.transform.PassContext) -> tvm.IRModule:
        """Module pass; see above."""
        return _Gatherer(module).run()
