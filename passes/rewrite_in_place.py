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
from tinycc.ops import view_of
from tinycc.ops.tensor import ITEM_BYTES, Tensor

ATTRIBUTE = "overlap_distances"


def _may_share_bytes(source: Tensor, output: Tensor) -> bool:
    """Whether C allows accesses of both types to the same bytes in one function: one is a character."""
    return source.dtype == output.dtype or 1 in (ITEM_BYTES[source.dtype], ITEM_BYTES[output.dtype])


@tvm.transform.module_pass(opt_level=0, name="RewriteInPlace")
class RewriteInPlace:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Annotate every composite function."""
        rewritten = tvm.IRModule(dict(module.functions), attrs=module.attrs)
        for variable, function in module.functions.items():
            if tvm_adapter.attribute(function, "Composite") is None:
                continue
            view = view_of(function)
            operands = range(len(view.inputs) - view.state_count)
            distances = {
                str(index): distance
                for index in operands
                if (distance := view.overlap_distance(index)) is not None
                and view.inputs[index].parameter is not None
                and _may_share_bytes(view.inputs[index], view.outputs[0])
            }
            if distances:
                rewritten.update_func(variable, function.with_attr(ATTRIBUTE, distances))
        return rewritten
