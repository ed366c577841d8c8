"""Write quantize and dequantize of all importers in one way.

Before:  clip(quantize(x, s: [1], z: int8 constant, axis=-1), -128, 127)
After:   quantize(x, s: a number, z: int32 constant, axis=0)
Requires: scales and zero points that are constants.
"""

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.passes.dataflow_rewriter import DataflowRewriter

_CONVERSIONS = ("relax.quantize", "relax.dequantize")


class _Writer(DataflowRewriter):
    def rewrite(self, name: str, call: relax.Call) -> relax.Expr:
        if name in _CONVERSIONS:
            return self._conversion(name, call)
        if name == "relax.clip" and _is_whole_range(call):
            return call.args[0]
        return call

    def _conversion(self, name: str, call: relax.Call) -> relax.Expr:
        """Scale and zero point are numbers where all channels have the same; axes count from the front."""
        if not all(map(tvm_adapter.is_constant, call.args[1:3])):
            raise UnsupportedError(
                f"the scale and zero point of {name.removeprefix('relax.')} with the result "
                f"{self.current.name} must be constants"
            )
        scale, zero_point = (tvm_adapter.constant_value(argument) for argument in call.args[1:3])
        axis = int(call.attrs.axis)
        rank = len(tvm_adapter.shape_of(call.args[0]))
        is_written = zero_point.dtype == np.int32 and axis == (axis % rank if scale.ndim else 0)
        if is_written and scale.shape == zero_point.shape and scale.shape != (1,):
            return call
        numbers = [np.asarray(scale, np.float32), np.asarray(zero_point, np.int32)]
        size = max(number.size for number in numbers)
        numbers = [np.broadcast_to(number, (size,)) if size > 1 else number.reshape(()) for number in numbers]
        operands = [call.args[0], *map(tvm_adapter.make_constant, numbers)]
        axis = axis % rank if size > 1 else 0
        if name == "relax.dequantize":
            return relax.op.dequantize(*operands, axis=axis, out_dtype=call.attrs.out_dtype)
        return relax.op.quantize(*operands, axis=axis, out_dtype=call.attrs.out_dtype)


def _is_whole_range(call: relax.Call) -> bool:
    """Whether a clip leaves every integer of its operand's type as it is."""
    dtype = tvm_adapter.dtype_of(call.args[0])
    if not dtype.startswith(("int", "uint")):
        return False
    limits = np.iinfo(dtype)
    low, high = tvm_adapter.clip_bounds(call)
    return low <= limits.min and high >= limits.max


@tvm.transform.module_pass(opt_level=0, name="CanonicalizeQuantization")
class CanonicalizeQuantization:
    """Module pass; see above. Raises UnsupportedError for scales and zero points that are computed."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Rewrite `main`."""
        return _Writer(module).run()
