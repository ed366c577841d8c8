"""Choose the kernel of each operator, of those that the core can run, by predicted instructions.

Before:  a composite function
After:   the same function with the attribute `tinycc.variant`, where the kernel uses a feature of the core
Requires: fuse_quantized_ops, lower_fallbacks.
"""

from collections.abc import Sequence

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.graph import view_of
from tinycc.ops.base import PORTABLE, VARIANT
from tinycc.schedule.costs import is_counted, predicted_instructions

# The more work in one instruction the better, unless kernels were counted and it is not so.
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
            variant = self._best(function)
            if variant != PORTABLE:
                chosen.update_func(variable, function.with_attr(VARIANT, variant))
        return chosen

    def _best(self, function: relax.Function) -> str:
        """The variant of fewest predicted instructions; the first preference where one was never counted."""
        view = view_of(function)
        offered = [name for name in PREFERENCE if name in self.features and view.has_variant(name)]
        if not offered:
            return PORTABLE
        views = [view_of(function.with_attr(VARIANT, name)) for name in (*offered, PORTABLE)]
        if not all(map(is_counted, views)):
            return offered[0]
        return min(views, key=predicted_instructions).variant
