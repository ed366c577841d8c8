"""Use the flash that is left for kernels that take more constants and fewer instructions.

Before:  composite functions, and stages of them, whose kernels are chosen
After:   the same; attribute `tinycc.variant` of some says that their weights lie wide, or that those of four
         bits have a byte each
Requires: select_kernels, schedule_stages: tables of stages are constants, too. What a kernel reads and
         writes, in which order, does not depend on how its weights lie, so that memory stays as it is.
Source:  the knapsack problem, greedily: most predicted instructions for a byte first.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.graph import view_of
from tinycc.ops.base import VARIANT, Operator
from tinycc.ops.kernel_call import Packed, SourceCall
from tinycc.ops.stage import Stage
from tinycc.schedule.costs import Run, runs_of
from tinycc.schedule.well_formed import well_formed

# Of the flash that is given, what is left for the code: that of a model of the corpus takes less.
CODE_BYTES = 24 * 1024


@dataclass(frozen=True)
class Widening:
    """Wide weights of one operator: what they take, and what they save.

    function: the operator's, or that of its stage. member: its place there.
    run: of the kernel that takes them.
    """

    function: tvm.ir.GlobalVar
    member: int
    run: Run
    bytes: int
    instructions: int


@tvm.transform.module_pass(opt_level=2, name="WidenWeights")
class WidenWeights:
    """Module pass; see above."""

    def __init__(self, flash_bytes: int, *, is_shared: bool = False) -> None:
        """flash_bytes: what code and constants may take.

        is_shared: whether constants that are equal are one, as those of a program of several entries.
        """
        self.flash_bytes = flash_bytes
        self.is_shared = is_shared

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Annotate the functions whose weights are to be wide."""
        room = self.flash_bytes - CODE_BYTES
        offered: list[Widening] = []
        constants: set[bytes] = set()
        for variable, times in Counter(tvm_adapter.callees_of(module["main"])).items():
            view = view_of(module[variable])
            if self.is_shared:
                constants.update(array for run in runs_of(view) for array in constants_of(run))
            else:
                # The constants of each call are its own.
                room -= times * constant_bytes(view)
            offered += widenings(variable, view, times)
        room -= sum(map(len, constants))
        chosen = []
        saving = [widening for widening in offered if widening.instructions > 0]
        for widening in sorted(saving, key=lambda item: -item.instructions / item.bytes):
            if widening.bytes <= room:
                room -= widening.bytes
                chosen.append(widening)
        return widened(module, chosen)


def constant_bytes(view: Operator) -> int:
    """Flash that the constants of an operator or a stage take."""
    tables = view.table_bytes if isinstance(view, Stage) else 0
    return tables + sum(run.call.data_bytes + run.view.operand_bytes for run in runs_of(view))


def constants_of(run: Run) -> tuple[bytes, ...]:
    """The arrays that a kernel has in flash."""
    data = [] if isinstance(run.call, SourceCall) else list(run.call.data.values())
    arrays = [value.array() if isinstance(value, Packed) else value for value in data]
    operands = [tensor.value for tensor in run.view.inputs]
    return tuple(array.tobytes() for array in [*arrays, *operands] if isinstance(array, np.ndarray))


def widenings(function: tvm.ir.GlobalVar, view: Operator, times: int) -> Iterator[Widening]:
    """What may be widened of an operator or a stage that is called so many times."""
    pairs = zip(runs_of(view), runs_of(_wide(view)), strict=True)
    for member, (before, after) in enumerate(pairs):
        size = after.call.data_bytes - before.call.data_bytes
        saved = before.predicted_instructions - after.predicted_instructions
        if size > 0:
            yield Widening(function, member, after, times * size, times * saved)


def widened(module: tvm.IRModule, chosen: Iterable[Widening]) -> tvm.IRModule:
    """The module with these weights wide."""
    members: dict[tvm.ir.GlobalVar, dict[int, str]] = defaultdict(dict)
    for widening in chosen:
        members[widening.function][widening.member] = widening.run.view.variant
    result = tvm.IRModule(dict(module.functions), attrs=module.attrs)
    for variable, variants in members.items():
        result.update_func(variable, _widened(module[variable], variants))
    return well_formed(result)


def _wide(view: Operator) -> Operator:
    """The view with wide weights wherever there may be some."""
    if isinstance(view, Stage):
        return replace(view, members=tuple(_wide(member) for member in view.members))
    return next(iter([*view.traded("flash"), *_in_bytes(view)]), view)


def _in_bytes(view: Operator) -> list[Operator]:
    """The view with a byte for each weight, where it has less."""
    if view.kernel.trade != "instructions":
        return []
    return [
        replace(view, variant=kernel.name)
        for kernel in view.kernels
        if kernel.trade is None and kernel.needs == view.kernel.needs and kernel.fits(view)
    ]


def _widened(function: relax.Function, members: Mapping[int, str]) -> relax.Function:
    """The function of an operator, or of a stage with the functions of these members, made wide.

    members: the kernel of each.
    """
    if tvm_adapter.attribute(function, "Composite") != f"tinycc.{Stage.kind}":
        return function.with_attr(VARIANT, members[0])
    bindings = list(tvm_adapter.bindings_of(function))
    bound = {binding.var for binding in bindings if isinstance(binding.value, relax.Function)}
    called = [
        binding.value.op
        for binding in bindings
        if isinstance(binding.value, relax.Call) and binding.value.op in bound
    ]
    wide = {called[member]: variant for member, variant in members.items()}
    edited = [
        relax.VarBinding(binding.var, binding.value.with_attr(VARIANT, wide[binding.var]))
        if binding.var in wide
        else binding
        for binding in bindings
    ]
    return tvm_adapter.with_bindings(function, edited)
