"""Choose the kernel of each operator by what the core offers.

Before:  a composite function
After:   the same function with the attribute `tinycc.variant`, where a kernel uses a feature of the core
Requires: fuse_quantized_ops, lower_fallbacks.
"""

from collections.abc import Sequence

import tvm

from tinycc import tvm_adapter
from tinycc.ops import view_of
from tinycc.ops.base import VARIANT

# The more work in one instruction the better.
PREFERENCE = ("helium", "dsp")


@tvm.transform.module_pass(opt_level=0, name="SelectKernels")
class SelectKernels:
    """Module pass; see above."""

    def __init__(self, features: Sequence[str] = ()) -> None:
        """features: of the core, as a Target has them."""
        self.features = tuple(features)

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Annotate the composite functions for which there is something to choose."""
        chosen = tvm.IRModule(dict(module.functions), attrs=module.attrs)
        for variable, function in module.functions.items():
            if tvm_adapter.attribute(function, "Composite") is None:
                continue
            view = view_of(function)
            for feature in PREFERENCE:
                if feature in self.features and view.has_variant(feature):
                    chosen.update_func(variable, function.with_attr(VARIANT, feature))
                    break
        return chosen
