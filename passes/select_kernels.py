"""Choose the kernel of each operator, of those that the core can run, by predicted instructions.

Before:  a composite function
After:   the same function with the attribute `tinycc.variant`, where the kernel uses a feature of the core,
         and with `tinycc.instruction_set`, where costs are fitted for that of the core
Requires: fuse_quantized_ops, lower_fallbacks, narrow_weights: a kernel for weights of few bits is taken in
         place of the one for the same core that finds each in a byte, as it takes less flash.
"""

from collections.abc import Sequence
from dataclasses import replace

import tvm

from tinycc import tvm_adapter
from tinycc.graph import view_of
from tinycc.ops.base import INSTRUCTION_SET, VARIANT, Operator
from tinycc.ops.kernel import PORTABLE
from tinycc.schedule.costs import fitted_set, is_counted, predicted_instructions


@tvm.transform.module_pass(opt_level=1, name="SelectKernels")
class SelectKernels:
    """Module pass; see above."""

    def __init__(self, features: Sequence[str] = (), instruction_set: str = "") -> None:
        """features, instruction_set: of the core, as a Target has them."""
        self.features = tuple(features)
        self.instruction_set = instruction_set

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Annotate the composite functions for which there is something to choose."""
        chosen = tvm.IRModule(dict(module.functions), attrs=module.attrs)
        for variable, function in module.functions.items():
            if tvm_adapter.attribute(function, "Composite") is None:
                continue
            best = with_best_kernel(view_of(function), self.features, self.instruction_set)
            if best.variant != PORTABLE:
                function = function.with_attr(VARIANT, best.variant)
            if best.instruction_set:
                function = function.with_attr(INSTRUCTION_SET, best.instruction_set)
            chosen.update_func(variable, function)
        return chosen


def with_best_kernel(view: Operator, features: Sequence[str], instruction_set: str = "") -> Operator:
    """An operator run by its quickest kernel, or in its place by one for weights of few bits.

    features, instruction_set: of the core.
    """
    view = replace(view, instruction_set=fitted_set(instruction_set))
    quickest = replace(view, variant=_quickest(view, features))
    return next(iter(quickest.traded("instructions")), quickest)


def _quickest(view: Operator, features: Sequence[str]) -> str:
    """The kernel of fewest predicted instructions; the room's first where one was never counted."""
    offered = [kernel.name for kernel in view.offered(features) if kernel.trade is None]
    views = [replace(view, variant=name) for name in offered]
    if len(views) == 1 or not all(map(is_counted, views)):
        return offered[0]
    return min(views, key=predicted_instructions).variant
