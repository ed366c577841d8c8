"""Let an entry of a program have the wide weights that another one has: flash has them once.

Before:  composite functions, and stages of them, whose kernels are chosen
After:   the same; those whose weights would be constants of the other entry if they were wide have them wide
Requires: widen_weights in the other entry, whose constants tell what it chose.
"""

import tvm

from tinycc import tvm_adapter
from tinycc.graph import view_of
from tinycc.passes.widen_weights import constants_of, widened, widenings
from tinycc.schedule.costs import runs_of


@tvm.transform.module_pass(opt_level=2, name="WidenAlike")
class WidenAlike:
    """Module pass; see above."""

    def __init__(self, other: tvm.IRModule) -> None:
        """other: the module of the other entry, whose passes are done."""
        callees = tvm_adapter.callees_of(other["main"])
        self.constants = {
            constants_of(run) for variable in callees for run in runs_of(view_of(other[variable]))
        }

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Annotate the functions whose weights are wide in the other entry."""
        offered = [
            widening
            for variable in dict.fromkeys(tvm_adapter.callees_of(module["main"]))
            for widening in widenings(variable, view_of(module[variable]), times=1)
        ]
        return widened(module, [item for item in offered if constants_of(item.run) in self.constants])
