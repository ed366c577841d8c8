"""All runs of neighbouring operators that could be a stage, and what each would need."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops import view_of
from tinycc.ops.base import Operator
from tinycc.ops.composite import VIEWS
from tinycc.ops.footprint import joint_bytes, most_at_once
from tinycc.ops.input_rows import row_input
from tinycc.ops.kernel_call import AwaitedCall
from tinycc.ops.overlap import OVERLAP_DISTANCES, overlap_distances
from tinycc.ops.stage import GRID, UNCUT, Grid, Stage
from tinycc.ops.states import Overwrites, values_of
from tinycc.ops.tensor import ITEM_BYTES
from tinycc.plan.row_input import UNDER_WAY_BYTES
from tinycc.schedule.costs import predicted_instructions
from tinycc.states import state_parameters

# The order of row calls is a table of bytes.
MOST_MEMBERS = 255
# Into how many strips of columns stages are cut, where their rings take this share of what is live.
STRIPS = (2, 3, 4, 6, 8)
RING_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class Candidate:
    """Bindings [first, last) of main as one step, on whole tensors or as a stage.

    function: of a stage, its composite function.
    live_bytes: the least memory that holds all that is live while it runs.
    macs: what it executes; extra_macs of them are of elements that were computed before.
    instructions: what it is predicted to execute.
    grid: of a stage, how it is cut. is_fed: whether it takes rows from outside.
    row_calls, members, ring_bytes: of a stage, how many rows it computes one by one, how many operators it
        has, and what its rings take; 0 on whole tensors.
    """

    first: int
    last: int
    function: relax.Function | None
    live_bytes: int
    macs: int
    row_calls: int
    members: int = 0
    ring_bytes: int = 0
    extra_macs: int = 0
    instructions: int = 0
    grid: Grid = UNCUT
    is_fed: bool = False


@dataclass(frozen=True)
class _Lifetime:
    """From the binding that makes a tensor, -1 for parameters, to the last that reads it."""

    bytes: int
    birth: int
    death: int


class Candidates:
    """What `main` of a module in its final order could be cut into."""

    def __init__(self, module: tvm.IRModule) -> None:
        self.module = module
        self.main = module["main"]
        self._views: dict[relax.Expr, Operator] = {}
        self.bindings = list(tvm_adapter.bindings_of(self.main))
        self._overwrites = Overwrites.of(
            self.main,
            self.bindings,
            tvm_adapter.returned(self.main),
            lambda call: self.view(module[call.op]),
        )
        # The memory behind each variable, and the last binding that reads the variable.
        self._roots: dict[relax.Var, tuple[relax.Var, ...]] = {}
        self._last_reads: dict[relax.Var, int] = {}
        self._values = values_of(self.main.params, self.bindings)
        # The parameter that comes row by row is nowhere in memory.
        self.row_input = row_input(self.main)
        self._lifetimes = self._read_lifetimes()

    def view(self, function: relax.Function) -> Operator:
        """`view_of`, each function read once."""
        if function not in self._views:
            self._views[function] = view_of(function)
        return self._views[function]

    def callee(self, index: int) -> relax.Function | None:
        """The composite function that binding `index` calls, None where it is a view or a tuple."""
        value = self.bindings[index].value
        is_call = isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.GlobalVar)
        return self.module[value.op] if is_call else None

    @cached_property
    def whole(self) -> list[Candidate]:
        """Every binding by itself, on whole tensors; not the one that takes rows from outside."""
        return [self._single(index) for index in range(len(self.bindings)) if not self.is_awaited(index)]

    @cached_property
    def _most_whole(self) -> int:
        """What whole tensors need at most, an input that comes row by row included."""
        fed = 0 if self.row_input is None else _bytes(self.row_input)
        return fed + max((candidate.live_bytes for candidate in self.whole), default=0)

    @cached_property
    def stages(self) -> list[Candidate]:
        """Runs of bindings that can be a stage, whose rings alone need no more than whole tensors do."""
        return [stage for stage in self.runs if stage.ring_bytes <= self._most_whole]

    @cached_property
    def runs(self) -> list[Candidate]:
        """Every run of bindings that can be a stage.

        Longer stages have more rings, so a run ends where they become twice as many as whole tensors need.
        """
        found = []
        most = 2 * self._most_whole
        streams = [self.streams(index) for index in range(len(self.bindings))]
        for first in range(len(self.bindings)):
            for last in range(first + 1, min(len(self.bindings), first + MOST_MEMBERS) + 1):
                if not streams[last - 1]:
                    break
                stage = self._stage(first, last) if last - first > 1 else None
                if stage is None:
                    continue
                if stage.ring_bytes > most:
                    break
                found.append(stage)
        return found

    @cached_property
    def strips(self) -> list[Candidate]:
        """Stages cut into strips of columns, of those whose rings are worth it; less memory for more MACs."""
        found = []
        for whole in self.stages:
            least = whole.live_bytes
            for count in STRIPS if whole.ring_bytes > RING_SHARE * whole.live_bytes else ():
                cut = self.cut(whole, Grid(strips=count))
                if cut is None:
                    break
                if cut.live_bytes < least:
                    found.append(cut)
                    least = cut.live_bytes
        return found

    def cut(self, stage: Candidate, grid: Grid) -> Candidate | None:
        """A stage cut as `grid` says, None where it cannot be."""
        return self._stage(stage.first, stage.last, grid)

    def readers(self, variable: relax.Var) -> list[int]:
        """The bindings that read a variable, in order."""
        return [
            index
            for index, binding in enumerate(self.bindings)
            if variable in tvm_adapter.variables_of(binding.value)
        ]

    def maker(self, variable: relax.Var) -> int | None:
        """The binding of a variable, None for a parameter."""
        return next((index for index, item in enumerate(self.bindings) if item.var == variable), None)

    def depending_on(self, index: int) -> set[int]:
        """All bindings that need the result of binding `index`, directly or not."""
        needing = {index}
        variables = {self.bindings[index].var}
        for later in range(index + 1, len(self.bindings)):
            if variables & set(tvm_adapter.variables_of(self.bindings[later].value)):
                needing.add(later)
                variables.add(self.bindings[later].var)
        return needing - {index}

    def is_awaited(self, index: int) -> bool:
        """Whether a binding takes rows from outside, which it can only do in a stage."""
        function = self.callee(index)
        if function is None or self.row_input is None:
            return False
        return isinstance(self.view(function).row_kernel, AwaitedCall)

    def is_overwritten(self, variable: relax.Var) -> bool:
        """Whether a variable has another value in its place in the end, so that it cannot be read again."""
        return self._values[variable] in self._overwrites.overwritten

    def accumulates(self, index: int) -> bool:
        """Whether binding `index` can take in its input row by row and reduces it."""
        function = self.callee(index)
        return function is not None and _sums(self.view(function))

    def bytes_of(self, variable: relax.Var) -> int:
        """Of a tensor."""
        return _bytes(variable)

    def output_shape(self, candidate: Candidate) -> tuple[int, ...]:
        """Of what its last binding makes."""
        return tvm_adapter.shape_of(self.bindings[candidate.last - 1].var)

    def streams(self, index: int) -> bool:
        """Whether a binding may be part of a stage at all."""
        function = self.callee(index)
        if function is None:
            return tvm_adapter.op_name(self.bindings[index].value) in VIEWS
        view = self.view(function)
        try:
            return view.runs_by_rows
        except ValueError:
            return False

    def _read_lifetimes(self) -> dict[relax.Var, _Lifetime]:
        """Of every variable that has memory of its own; views and tuples are their operands' memory."""
        born: dict[relax.Var, int] = {}
        dies: dict[relax.Var, int] = {}
        for parameter in self.main.params:
            self._roots[parameter] = (parameter,)
            born[parameter] = dies[parameter] = -1
        for index, binding in enumerate(self.bindings):
            self._last_reads.update(dict.fromkeys(tvm_adapter.variables_of(binding.value), index))
            reads = tuple(dict.fromkeys(root for item in tvm_adapter.variables_of(binding.value)
                                        for root in self._roots.get(item, ())))  # fmt: skip
            for root in reads:
                dies[root] = index
            if self.callee(index) is None:
                self._roots[binding.var] = reads
            else:
                self._roots[binding.var] = (binding.var,)
                born[binding.var] = dies[binding.var] = index
        for result in tvm_adapter.returned(self.main):
            self._last_reads[result] = len(self.bindings)
            for root in self._roots.get(result, ()):
                dies[root] = len(self.bindings)
        for parameter in state_parameters(self.main):
            dies[parameter] = len(self.bindings)
        return {root: _Lifetime(self._bytes(root, born[root]), born[root], dies[root]) for root in born}

    def _bytes(self, root: relax.Var, birth: int) -> int:
        """Of a parameter, or of the results of the operator at `birth`; states are parameters."""
        function = self.callee(birth) if birth >= 0 else None
        if function is None:
            return 0 if root == self.row_input else _bytes(root)
        if root in self._overwrites.written:
            return 0
        view = self.view(function)
        return sum(tensor.bytes for tensor in view.outputs[: len(view.outputs) - view.state_count])

    def _single(self, index: int) -> Candidate:
        function = self.callee(index)
        if function is None:
            return Candidate(index, index + 1, None, 0, 0, 0)
        view = self.view(function)
        value = self.bindings[index].value
        gaps: dict[relax.Var, int] = {}
        for key, gap in tvm_adapter.attribute(function, OVERLAP_DISTANCES, {}).items():
            for root in self._roots[value.args[view.inputs[int(key)].parameter]]:
                gaps[root] = max(int(gap), gaps.get(root, int(gap)))
        live = self._live_bytes(index, index + 1, gaps) + view.scratch_bytes
        return Candidate(
            index,
            index + 1,
            None,
            live,
            macs=view.macs,
            row_calls=0,
            extra_macs=view.extra_macs,
            instructions=predicted_instructions(view),
        )

    def _stage(self, first: int, last: int, grid: Grid = UNCUT) -> Candidate | None:
        """The stage of a run, cut as `grid` says; None if it cannot be one."""
        inside = {binding.var for binding in self.bindings[first:last]}
        result = self.bindings[last - 1].var
        escaping = {item for item in inside if self._last_reads.get(item, -1) >= last}
        members = [index for index in range(first, last) if self.callee(index) is not None]
        if escaping - {result} or len(members) < 2 or members[0] != first or members[-1] != last - 1:
            return None
        function = self._function(first, last)
        if grid != UNCUT:
            function = function.with_attr(GRID, [grid.bands, grid.strips, int(grid.by_layers)])
        stage = Stage.of_function(function, self.view)
        try:
            calls = stage.stream.order
            rings = most_at_once((ring.bytes, ring.moments) for ring in stage.rings)
        except ValueError:
            return None
        if len(set(calls)) < len(stage.members):
            return None
        distances = overlap_distances(stage)
        if distances:
            function = function.with_attr(OVERLAP_DISTANCES, distances)
        parameters = self.inputs(first, last)
        state = self._overwrites.written.get(result)
        for index, parameter in enumerate(parameters):
            if self._values[parameter] == state and distances.get(str(index), 1) > 0:
                return None  # Rows of a state would be overwritten before they are read.
        gaps: dict[relax.Var, int] = {}
        for key, gap in distances.items():
            for root in self._roots[parameters[int(key)]]:
                gaps[root] = max(gap, gaps.get(root, gap))
        live = self._live_bytes(first, last, gaps) + rings + stage.scratch_bytes
        return Candidate(
            first,
            last,
            function,
            live,
            macs=stage.macs + stage.extra_macs,
            row_calls=len(calls) * grid.strips,
            members=len(stage.members),
            ring_bytes=rings,
            extra_macs=stage.extra_macs,
            instructions=predicted_instructions(stage),
            grid=grid,
            is_fed=stage.awaited is not None,
        )

    def _live_bytes(self, first: int, last: int, gaps: Mapping[relax.Var, int]) -> int:
        """What is live while bindings [first, last) run, tensors between them left out.

        gaps: overlap distance of the result to the tensors it may overlap.
        """
        result = self.bindings[last - 1].var
        around = [
            root
            for root, life in self._lifetimes.items()
            if life.birth < first and life.death >= first and root != result
        ]
        dying = [root for root in around if root in gaps and self._lifetimes[root].death < last]
        joint = joint_bytes(
            self._lifetimes[result].bytes, [(self._lifetimes[root].bytes, gaps[root]) for root in dying]
        )
        state = 0 if self.row_input is None else UNDER_WAY_BYTES
        return state + joint + sum(self._lifetimes[root].bytes for root in around if root not in dying)

    def inputs(self, first: int, last: int) -> list[relax.Var]:
        """The variables from outside that bindings [first, last) read, in order."""
        inside = {binding.var for binding in self.bindings[first:last]}
        reads = itertools.chain.from_iterable(
            tvm_adapter.variables_of(binding.value) for binding in self.bindings[first:last]
        )
        return [item for item in dict.fromkeys(reads) if item not in inside]

    def _function(self, first: int, last: int) -> relax.Function:
        """The composite function of a stage: it binds the functions of its members and calls them."""
        mapping: dict[relax.Var, relax.Var] = {}
        for item in self.inputs(first, last):
            mapping[item] = relax.Var(item.name, item.ty)
        parameters = list(mapping.values())
        bindings = []
        for index in range(first, last):
            binding, callee = self.bindings[index], self.callee(index)
            value = tvm_adapter.substitute(binding.value, mapping)
            if callee is not None:
                local = relax.Var(f"member{index}", callee.ty)
                bindings.append(relax.VarBinding(local, callee))
                value = relax.Call(local, value.args, ret_ty=binding.var.ty)
            mapping[binding.var] = relax.DataflowVar(binding.var.name, binding.var.ty)
            bindings.append(relax.VarBinding(mapping[binding.var], value))
        result = relax.Var("result", self.bindings[last - 1].var.ty)
        bindings.append(relax.VarBinding(result, mapping[self.bindings[last - 1].var]))
        body = relax.SeqExpr([relax.DataflowBlock(bindings)], result)
        function = relax.Function(parameters, body, result.ty)
        return function.with_attr({"Composite": "tinycc.stage", "Primitive": True})


def _sums(view: Operator) -> bool:
    return bool(view.inputs) and view.accumulating_kernel(view.inputs[0].height) is not None


def _bytes(variable: relax.Var) -> int:
    size = ITEM_BYTES[tvm_adapter.dtype_of(variable)]
    for dimension in tvm_adapter.shape_of(variable):
        size *= dimension
    return size


def staged(candidates: Candidates, chosen: list[Candidate]) -> tvm.IRModule:
    """The module with the stages of `chosen`, which follow each other and cover main, as composites."""
    module = tvm.IRModule(dict(candidates.module.functions), attrs=candidates.module.attrs)
    main = candidates.main
    bindings = []
    for count, candidate in enumerate(chosen):
        if candidate.function is None:
            bindings += candidates.bindings[candidate.first : candidate.last]
            continue
        name = f"stage{count}"
        variable = tvm.ir.GlobalVar(name)
        module.update_func(variable, candidate.function)
        inputs = candidates.inputs(candidate.first, candidate.last)
        result = candidates.bindings[candidate.last - 1].var
        bindings.append(relax.VarBinding(result, relax.Call(variable, inputs, ret_ty=result.ty)))
    body = relax.SeqExpr([relax.DataflowBlock(bindings)], main.body.body)
    edited = relax.Function(main.params, body, main.ret_ty, main.is_pure, main.attrs)
    module.update_func(module.get_global_var("main"), edited)
    return module
