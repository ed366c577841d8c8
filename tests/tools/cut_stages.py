"""A pass in place of schedule_stages: the longest stage that can be cut as asked, and all else whole."""

import tvm

from tinycc.graph import OperatorGraph
from tinycc.ops.stage import Grid
from tinycc.schedule.candidates import Candidates
from tinycc.schedule.staged import staged


@tvm.transform.module_pass(opt_level=0, name="CutStages")
class CutStages:
    """Nothing changes where no stage of the module can be cut so."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """One stage of main, cut; on whole tensors before and after."""
        candidates = Candidates(OperatorGraph.of(module))
        for run in sorted(candidates.runs, key=lambda run: -run.members):
            cut = candidates.cut(run, self.grid)
            if cut is not None:
                whole = candidates.whole
                return staged(candidates.graph, [*whole[: cut.first], cut, *whole[cut.last :]])
        return module
