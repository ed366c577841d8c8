"""Put the operators in the order that needs the least memory.

Before:  main's composite calls in the order of the file
After:   the same calls in the order whose largest step is least; the file's order where none is better. Where
         the search was given up, that is a note of main (`tinycc.notes`)
Requires: rewrite_in_place, order_states. What reads a state's old value stays before what overwrites it.
Source:  search over sets of executed operators, as in Liberis & Lane, "Neural networks on microcontrollers:
         saving memory at inference via operator reordering" (2019); a set's future does not depend on how it
         was reached, so each is visited once.
"""

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import tvm

from tinycc import tvm_adapter
from tinycc.graph import BindingWriter, Node, OperatorGraph, Value
from tinycc.limits import DEFAULT_LIMITS, SearchLimits
from tinycc.notes import with_note
from tinycc.ops.footprint import joint_bytes


@tvm.transform.module_pass(opt_level=1, name="OrderOperators")
class OrderOperators:
    """Module pass; see above."""

    def __init__(self, limits: SearchLimits = DEFAULT_LIMITS) -> None:
        self.limits = limits

    def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
        """Permute the operators of `main`."""
        graph = OperatorGraph.of(module)
        search = OrderSearch(graph, self.limits.order_steps)
        order = search.least_peak_order()
        if order == list(range(len(order))) and not search.is_given_up:
            return module
        writer = BindingWriter(graph, is_main=True)
        for index in order:
            writer.write(graph.nodes[index])
        result = writer.read(graph.main.body.body)
        edited = tvm_adapter.with_bindings(graph.main, writer.bindings, result)
        if search.is_given_up:
            edited = with_note(
                edited,
                f"the order of the {len(order)} operators may not be the one that needs the least memory: "
                f"the search for it ended after {self.limits.order_steps:,} steps",
            )
        rewritten = tvm.IRModule(dict(module.functions), attrs=module.attrs)
        rewritten.update_func(module.get_global_var("main"), edited)
        return rewritten


def ordered(graph: OperatorGraph, limits: SearchLimits = DEFAULT_LIMITS) -> OperatorGraph:
    """The graph with its operators in that order."""
    order = OrderSearch(graph, limits.order_steps).least_peak_order()
    nodes = (replace(graph.nodes[index], index=place) for place, index in enumerate(order))
    return replace(graph, nodes=tuple(nodes))


@dataclass(frozen=True)
class _Executed:
    """A set of executed operators, bit i for operator i.

    ready: the operators that may come next. live_bytes: what is live then. peak: the largest step so far.
    """

    operators: int
    ready: int
    live_bytes: int
    peak: int


class OrderSearch:
    """The search for the order of a graph's operators whose largest step is least.

    is_given_up: whether it ended before it was known that no order is better.

    Best-first over sets of executed operators. An operator that leaves no more live than there was before it,
    and whose step is no larger than the peak so far, is executed at once. Proof: let the best way on from a
    set S be u1, ..., uk, v, ..., and execute v first. Its own step is no larger than the peak. No ui needs v.
    What v frees after S it would free after S, u1, ..., ui, too, so v leaves no more live there, either. What
    v reads may now die at ui: what an output overlaps takes no more than both together. So no step becomes
    larger, and after uk the same operators are executed.
    """

    def __init__(self, graph: OperatorGraph, most_steps: int) -> None:
        """most_steps: how many times an operator is looked at."""
        self._nodes, self._bytes, self._kept = graph.nodes, graph.bytes, graph.kept
        self._needs = [_set_of(before) for before in graph.before]
        self._followers = [
            [later for later, before in enumerate(graph.before) if index in before]
            for index in range(len(graph.nodes))
        ]
        self._readers = {
            value: _set_of(node.index for node in nodes) for value, nodes in graph.readers.items()
        }
        self._makers = {value: 1 << node.index for value, node in graph.makers.items()}
        # Of each operator: what it reads that does not outlive all, and the bytes that it leaves.
        self._mortal = [[value for value in node.reads if value not in graph.kept] for node in graph.nodes]
        self._made = [
            sum(graph.bytes[value] for value in node.results if self._is_wanted(value))
            for node in graph.nodes
        ]
        # Likewise the bytes of its first result, and of all others and its scratch memory.
        self._sizes = [
            (first, sum(others) + node.view.scratch_bytes)
            for node in graph.nodes
            for first, *others in [[graph.bytes[value] for value in node.results]]
        ]
        self._steps_left = most_steps
        self.is_given_up = False

    def least_peak_order(self) -> list[int]:
        """Indices of operators; the file's order where none is better."""
        in_file = list(range(len(self._nodes)))
        peak, least = self._peak_of(in_file), self._least_peak()
        if peak == least:
            return in_file
        found = self._searched(least, peak)
        if found is None and self.is_given_up:
            found = self._greedy(least)
            found = found if self._peak_of(found) < peak else None
        return found or in_file

    def _searched(self, least: int, most: int) -> list[int] | None:
        """The best order if its peak is less than `most`; None where there is none, or it was not found.

        least: less than which no peak can be. Sets that need no more are alike, so the largest come first.
        """
        start = self._start(least)
        reached = {start.operators: start}
        came_by: dict[int, int] = {}
        queue = [(start.peak, len(self._nodes), start.operators)]
        while queue:
            peak, left, operators = heapq.heappop(queue)
            here = reached[operators]
            if peak > here.peak:
                continue
            if not left:
                return self._path(came_by)
            for index, after in self._next(here):
                known = reached.get(after.operators)
                if after.peak < most and (known is None or after.peak < known.peak):
                    reached[after.operators] = after
                    came_by[after.operators] = index
                    heapq.heappush(queue, (after.peak, left - 1, after.operators))
            if self._steps_left <= 0:
                self.is_given_up = True
                return None
        return None

    def _greedy(self, least: int) -> list[int]:
        """An order in which each operator is the one that needs least at its turn, and then leaves least."""
        here, order = self._start(least), []
        while here.ready:
            index, here = min(self._next(here), key=lambda item: (item[1].peak, item[1].live_bytes))
            order.append(index)
        return order

    def _next(self, here: _Executed) -> list[tuple[int, _Executed]]:
        """What may be executed next; a single operator where nothing else need be tried."""
        found = []
        for index in _members_of(here.ready):
            after = self._after(here, index)
            self._steps_left -= 1
            if after.live_bytes <= here.live_bytes and after.peak == here.peak:
                return [(index, after)]
            found.append((index, after))
        return found

    def _path(self, came_by: dict[int, int]) -> list[int]:
        order = []
        operators = (1 << len(self._nodes)) - 1
        while operators:
            order.append(came_by[operators])
            operators ^= 1 << order[-1]
        return order[::-1]

    def _peak_of(self, order: list[int]) -> int:
        here = self._start(0)
        for index in order:
            here = self._after(here, index)
        return here.peak

    def _start(self, least: int) -> _Executed:
        """Before all operators: parameters are live."""
        ready = _set_of(index for index, needs in enumerate(self._needs) if not needs)
        live = [value for value in self._bytes if value not in self._makers and self._is_wanted(value)]
        return _Executed(0, ready, sum(self._bytes[value] for value in live), least)

    def _is_wanted(self, value: Value) -> bool:
        return bool(self._readers[value]) or value in self._kept

    def _after(self, here: _Executed, index: int) -> _Executed:
        """One more operator executed."""
        node = self._nodes[index]
        operators = here.operators | 1 << index
        dying = [value for value in self._mortal[index] if not self._readers[value] & ~operators]
        freed = sum(self._bytes[value] for value in dying)
        ready = here.ready ^ 1 << index
        for later in self._followers[index]:
            if not self._needs[later] & ~operators:
                ready |= 1 << later
        step = self._step_bytes(node, here.live_bytes, dying)
        return _Executed(operators, ready, here.live_bytes + self._made[index] - freed, max(here.peak, step))

    def _step_bytes(self, node: Node, live_bytes: int, dying: list[Value]) -> int:
        """What is live during a step. live_bytes: before it. dying: values that it reads last."""
        overlapped = [(self._bytes[value], node.overlaps[value]) for value in dying if value in node.overlaps]
        first, beside = self._sizes[node.index]
        return live_bytes - sum(size for size, _ in overlapped) + joint_bytes(first, overlapped) + beside

    def _least_peak(self) -> int:
        """What every order needs at least: for what an operator cannot do without, and at the last one."""
        everything = (1 << len(self._nodes)) - 1
        earlier, later = [0] * len(self._nodes), [0] * len(self._nodes)
        for index, needs in enumerate(self._needs):
            earlier[index] = needs | _union(earlier[need] for need in _members_of(needs))
        for index in reversed(range(len(self._nodes))):
            later[index] = _union(1 << item | later[item] for item in self._followers[index])
        alone = [self._least_step(*sets) for sets in zip(self._nodes, earlier, later, strict=True)]
        last = [
            self._least_step(node, everything ^ 1 << node.index, 0)
            for node in self._nodes
            if not self._followers[node.index]
        ]
        return max(max(alone, default=0), min(last, default=0))

    def _least_step(self, node: Node, earlier: int, later: int) -> int:
        """What a step needs at least. earlier, later: what is sure to be executed before it, and after it."""
        live = [
            value
            for value, size in self._bytes.items()
            if size
            and not self._makers.get(value, 0) & ~earlier
            and (value in self._kept or self._readers[value] & (later | 1 << node.index))
        ]
        dying = [value for value in self._mortal[node.index] if not self._readers[value] & later]
        return self._step_bytes(node, sum(self._bytes[value] for value in live), dying)


def _set_of(members: Iterable[int]) -> int:
    return _union(1 << member for member in members)


def _union(sets: Iterable[int]) -> int:
    union = 0
    for item in sets:
        union |= item
    return union


def _members_of(items: int) -> Iterator[int]:
    """The members of a set, in order."""
    while items:
        least = items & -items
        yield least.bit_length() - 1
        items ^= least
