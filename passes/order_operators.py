"""Put the operators in the order that needs the least memory.

Before:  main's composite calls in the order of the file
After:   the same calls in the order whose largest step is least; among equals, the file's order is kept
         as far as the search allows
Requires: rewrite_in_place, order_states. What reads a state's old value stays before what overwrites it.
Source:  exhaustive search over sets of executed operators, as in Liberis & Lane, "Neural networks on
         microcontrollers: saving memory at inference via operator reordering" (2019); a set's future does
         not depend on how it was reached, so each is visited once.
"""

import heapq
from dataclasses import dataclass

import tvm
from tvm import relax

from tinycc import tvm_adapter
from tinycc.ops import view_of
from tinycc.ops.footprint import joint_bytes
from tinycc.ops.overlap import OVERLAP_DISTANCES
from tinycc.ops.states import Overwrites
from tinycc.ops.tensor import ITEM_BYTES
from tinycc.states import state_parameters

# Beyond this many operators looked at, in all sets of executed ones, the file's order is kept.
_MOST_LOOKS = 4_000_000


@dataclass(frozen=True)
class _Node:
    """A binding: which variables it reads, how much its result takes, which reads it may overlap.

    after: results of bindings that have to run before it, beside what it reads.
    """

    reads: tuple[relax.Var, ...]
    after: frozenset[relax.Var]
    result: relax.Var
    result_bytes: int
    scratch_bytes: int
    overlaps: tuple[tuple[relax.Var, int], ...]


@tvm.transform.module_pass(opt_level=0, name="OrderOperators")
class OrderOperators:
    """Module pass; see above."""

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Permute the bindings of `main`."""
        main = module["main"]
        bindings = list(tvm_adapter.bindings_of(main))
        overwrites = Overwrites.of(
            main, bindings, tvm_adapter.returned(main), lambda call: view_of(module[call.op])
        )
        order = least_peak_order([_node(module, binding, overwrites) for binding in bindings], main)
        if order == list(range(len(bindings))):
            return module
        block = relax.DataflowBlock([bindings[index] for index in order])
        body = relax.SeqExpr([block], main.body.body)
        rewritten = tvm.IRModule(dict(module.functions), attrs=module.attrs)
        edited = relax.Function(main.params, body, main.ret_ty, main.is_pure, main.attrs)
        rewritten.update_func(module.get_global_var("main"), edited)
        return rewritten


def _bytes(variable: relax.Var) -> int:
    size = ITEM_BYTES[tvm_adapter.dtype_of(variable)]
    for dimension in tvm_adapter.shape_of(variable):
        size *= dimension
    return size


def _node(module: tvm.IRModule, binding: relax.VarBinding, overwrites: Overwrites) -> _Node:
    value = binding.value
    reads = tuple(dict.fromkeys(tvm_adapter.variables_of(value)))
    after = frozenset(overwrites.before.get(binding.var, ()))
    has_memory = tvm_adapter.is_tensor(binding.var) and binding.var not in overwrites.written
    size = _bytes(binding.var) if has_memory else 0
    if not (isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.GlobalVar)):
        # A view or a tuple: its result is its operand's memory; modelled as an output fully over it.
        overlaps = tuple((read, 0) for read in reads)
        return _Node(reads, after, binding.var, size, 0, overlaps)
    function = module[value.op]
    view = view_of(function)
    distances = tvm_adapter.attribute(function, OVERLAP_DISTANCES, {})
    overlaps = tuple(
        (value.args[view.inputs[int(index)].parameter], int(distance))
        for index, distance in distances.items()
    )
    return _Node(reads, after, binding.var, size, view.scratch_bytes, overlaps)


def least_peak_order(nodes: list[_Node], main: relax.Function) -> list[int]:
    """Indices of `nodes` in an executable order whose largest step is least.

    A best-first search: sets of executed nodes are expanded in order of the peak needed to reach them.
    """
    producer = {node.result: index for index, node in enumerate(nodes)}
    needs = [{producer[read] for read in (*node.reads, *node.after) if read in producer} for node in nodes]
    readers: dict[relax.Var, int] = {}
    for index, node in enumerate(nodes):
        for read in node.reads:
            readers[read] = readers.get(read, 0) | 1 << index
    kept = {*tvm_adapter.returned(main), *state_parameters(main)}
    sizes = {variable: _bytes(variable) for variable in readers if tvm_adapter.is_tensor(variable)}
    sizes.update({node.result: node.result_bytes for node in nodes})
    everything = (1 << len(nodes)) - 1

    def live_after(executed: int) -> set[relax.Var]:
        return {
            variable
            for variable in sizes
            if (variable not in producer or executed >> producer[variable] & 1)
            and (readers.get(variable, 0) & ~executed or variable in kept)
        }

    def step_bytes(live: set[relax.Var], after: int, node: _Node) -> int:
        dying = {
            variable: gap
            for variable, gap in node.overlaps
            if variable in live and not readers[variable] & ~after and variable not in kept
        }
        joint = joint_bytes(node.result_bytes, [(sizes[variable], gap) for variable, gap in dying.items()])
        return sum(sizes[variable] for variable in live if variable not in dying) + joint + node.scratch_bytes

    # Some operator that nobody reads is the last: its step is a bound. Below it all sets are alike, or each
    # set of operators that do not depend on each other would be looked at.
    bound = min(
        (
            step_bytes(live_after(everything ^ 1 << index), everything, node)
            for index, node in enumerate(nodes)
            if node.result not in readers
        ),
        default=0,
    )
    queue: list[tuple[int, int, int]] = [(bound, 0, 0)]
    paths: dict[int, tuple[int, int]] = {}
    done: set[int] = set()
    while queue:
        peak, _, executed = heapq.heappop(queue)
        if executed in done:
            continue
        done.add(executed)
        if executed == everything:
            return _path(paths, everything)
        if len(done) * len(nodes) > _MOST_LOOKS:
            break
        live = live_after(executed)
        for index, node in enumerate(nodes):
            after = executed | 1 << index
            if after in done or any(not executed >> need & 1 for need in needs[index]):
                continue
            cost = max(peak, step_bytes(live, after, node))
            if after not in paths or cost < paths[after][0]:
                paths[after] = (cost, index)
                heapq.heappush(queue, (cost, len(nodes) - after.bit_count(), after))
    return list(range(len(nodes)))


def _path(paths: dict[int, tuple[int, int]], executed: int) -> list[int]:
    order = []
    while executed:
        index = paths[executed][1]
        order.append(index)
        executed &= ~(1 << index)
    return order[::-1]
