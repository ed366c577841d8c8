"""Group each quantized operator into one composite function.

Before:  lv = dequantize(x); lv1 = conv2d(lv, dequantize(w)); ...; lv5 = quantize(lv4)
After:   lv5 = fused_conv2d(x), a private function with Composite = "tinycc.conv2d" and the same body
Requires: the normal form; every dequantize used by one operator only (split_shared_dequantize).
Source:  relax.transform.FuseOpsByPattern with the patterns of tinycc.ops.
"""

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops import fusion_patterns
from tinycc.passes.fuse_expressions import FuseExpressions
from tinycc.passes.fuse_lookups import FuseLookups


@tvm.transform.module_pass(opt_level=0, name="FuseQuantizedOps")
class FuseQuantizedOps:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Tables first, as what has one operand that changes costs less as a table than as an operator.

        Then TVM's pattern fusion with the patterns of all operators, constants kept inside; then what is left
        of real numbers, element by element.
        """
        by_pattern = relax.transform.FuseOpsByPattern(list(fusion_patterns()), bind_constants=True)
        return tvm_adapter.run_passes([FuseLookups(), by_pattern, FuseExpressions()], module)
