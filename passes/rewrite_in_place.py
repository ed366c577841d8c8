"""Let outputs overlap the inputs that die at their operator.

Before:  a composite function
After:   the same function with the attribute `overlap_distances`: for each operand that may be overlapped,
its index
         (as a string) and how many bytes the output must start before it
Requires: fuse_quantized_ops. The planner uses a distance where the operand really dies.
Source:  in-place depthwise convolution of TinyEngine (Lin et al., "MCUNet", 2020), as one rule for all
         operators.
"""

import tvm

from tinycc import tvm_adapter
from tinycc.graph import view_of
from tinycc.ops.overlap import OVERLAP_DISTANCES, overlap_distances


@tvm.transform.module_pass(opt_level=1, name="RewriteInPlace")
class RewriteInPlace:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Annotate every composite function."""
        rewritten = tvm.IRModule(dict(module.functions), attrs=module.attrs)
        for variable, function in module.functions.items():
            if tvm_adapter.attribute(function, "Composite") is None:
                continue
            distances = overlap_distances(view_of(function))
            if distances:
                rewritten.update_func(variable, function.with_attr(OVERLAP_DISTANCES, distances))
        return rewritten
