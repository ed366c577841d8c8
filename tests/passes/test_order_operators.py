"""The order of operators: executable, and of all orders the one with the least peak."""

import itertools
import time
from collections.abc import Sequence

import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.tools.assert_pass import names_in
from tests.tools.kernel_runner import module_of
from tests.tools.synthetic_graphs import Sized, synthetic_graph
from tinycc import tvm_adapter
from tinycc.graph import OperatorGraph
from tinycc.limits import SearchLimits
from tinycc.notes import notes_of
from tinycc.ops.footprint import joint_bytes
from tinycc.passes.order_operators import OrderOperators, OrderSearch
from tinycc.passes.pipeline import default_passes
from tinycc.plan import build_plan


def fused(module: tvm.IRModule) -> tvm.IRModule:
    """Up to the pass under test."""
    passes = default_passes("float")
    last = [item.info.name for item in passes].index("RewriteInPlace")
    return tvm.transform.Sequential(passes[: last + 1])(module)


def pooled(x: relax.Expr, size: int) -> relax.Expr:
    return relax.op.nn.max_pool2d(x, (size, size), strides=(size, size), layout="NHWC")


def with_order(module: tvm.IRModule, order: tuple[int, ...]) -> tvm.IRModule | None:
    """The module with its bindings permuted; None where a binding would come before what it reads."""
    main = module["main"]
    bindings = [list(tvm_adapter.bindings_of(main))[index] for index in order]
    known = set(main.params)
    for binding in bindings:
        if any(item not in known for item in tvm_adapter.variables_of(binding.value)):
            return None
        known.add(binding.var)
    body = relax.SeqExpr([relax.DataflowBlock(bindings)], main.body.body)
    permuted = tvm.IRModule(dict(module.functions))
    edited = relax.Function(main.params, body, main.ret_ty, main.is_pure, main.attrs)
    permuted.update_func(module.get_global_var("main"), edited)
    return permuted


def branches(sizes: list[tuple[int, int]]) -> tvm.IRModule:
    """Branches of two poolings each, over one input, their results all given out."""

    def body(x: relax.Expr) -> list[relax.Expr]:
        return [pooled(relax.op.nn.pad(x, [0, 0, 0, 0, 0, 0, 0, pad]), size) for pad, size in sizes]

    return module_of([((1, 8, 8, 2), "int8")], body)


@settings(max_examples=6)
@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from([1, 2, 4, 8])), min_size=2, max_size=3))
def test_no_order_has_a_lower_peak(sizes: list[tuple[int, int]]) -> None:
    module = fused(branches(sizes))
    count = len(list(tvm_adapter.bindings_of(module["main"])))
    permuted = (with_order(module, order) for order in itertools.permutations(range(count)))
    least = min(build_plan(item).lower_bound_bytes for item in permuted if item is not None)
    assert build_plan(OrderOperators()(module)).lower_bound_bytes == least


def test_a_branch_is_finished_before_the_next_is_begun() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        wide = [relax.op.nn.pad(x, [0, 0, 0, 0, 0, 0, 0, pad]) for pad in (6, 8)]
        return relax.op.concat([pooled(item, 8) for item in wide], 3)

    module = fused(module_of([((1, 8, 8, 2), "int8")], body))
    assert names_in(OrderOperators()(module)) == ["pad", "max_pool2d", "pad", "max_pool2d", "concatenate"]


@pytest.mark.parametrize("length", [0, 1, 5])
def test_a_chain_stays_as_it_is(length: int) -> None:
    def body(x: relax.Expr) -> relax.Expr:
        for _ in range(length):
            x = relax.op.nn.max_pool2d(x, (2, 2), layout="NHWC")
        return x

    module = fused(module_of([((1, 8, 8, 2), "int8")], body))
    tvm.ir.assert_structural_equal(OrderOperators()(module), module)


def peak_of(graph: OperatorGraph, order: Sequence[int]) -> int | None:
    """The largest step of an order, looked up tensor by tensor; None if it cannot be executed."""
    sizes = graph.bytes
    done: set[int] = set()
    peak = 0
    for index in order:
        node = graph.nodes[index]
        if any(value in graph.makers and graph.makers[value].index not in done for value in node.reads):
            return None
        there = [value for value in sizes if value not in graph.makers or graph.makers[value].index in done]
        wanted = [v for v in there if v in graph.kept or any(r.index not in done for r in graph.readers[v])]
        done.add(index)
        dying = [
            v
            for v in node.overlaps
            if v not in graph.kept and all(reader.index in done for reader in graph.readers[v])
        ]
        joint = joint_bytes(sizes[node.results[0]], [(sizes[v], node.overlaps[v]) for v in dying])
        others = sum(sizes[v] for v in wanted if v not in dying)
        peak = max(peak, others + joint + node.view.scratch_bytes)
    return peak


@st.composite
def graphs(draw: st.DrawFn) -> OperatorGraph:
    """Up to six operators that read up to three earlier results or parameters each."""
    operators = []
    for index in range(draw(st.integers(1, 6))):
        reads = tuple(draw(st.lists(st.integers(-2, index - 1), max_size=3, unique=True)))
        distances = {place: draw(st.integers(-2, 6)) for place in range(len(reads)) if draw(st.booleans())}
        operators.append(Sized(draw(st.integers(1, 12)), reads, draw(st.integers(0, 3)), distances))
    kept = draw(st.lists(st.integers(0, len(operators) - 1), max_size=2, unique=True))
    return synthetic_graph([5, 9], operators, kept)


@settings(max_examples=150)
@given(graphs())
def test_brute_force_finds_no_lower_peak(graph: OperatorGraph) -> None:
    search = OrderSearch(graph, 10_000)
    peaks = [peak_of(graph, order) for order in itertools.permutations(range(len(graph.nodes)))]
    assert peak_of(graph, search.least_peak_order()) == min(peak for peak in peaks if peak is not None)
    assert not search.is_given_up


@settings(max_examples=100)
@given(graphs(), st.integers(0, 12))
def test_a_search_that_ends_early_is_not_worse_than_the_file(graph: OperatorGraph, steps: int) -> None:
    peak, in_file = (
        peak_of(graph, OrderSearch(graph, steps).least_peak_order()),
        peak_of(graph, range(len(graph.nodes))),
    )
    assert peak is not None and in_file is not None and peak <= in_file


def unordered(count: int) -> OperatorGraph:
    """Operators that do not depend on each other, every other of which needs more than it leaves."""
    sizes = [(17 * index % 23 + 1, 29 * index % 31 + 1) for index in range(count)]
    operators = [Sized(made, (-1 - index,)) for index, (_, made) in enumerate(sizes)]
    return synthetic_graph([read for read, _ in sizes], operators, kept=range(count))


def test_hundreds_of_independent_operators_are_ordered_in_two_seconds() -> None:
    graph = unordered(400)
    start = time.process_time()
    order = OrderSearch(graph, SearchLimits().order_steps).least_peak_order()
    assert time.process_time() - start < 2
    peak, in_file = peak_of(graph, order), peak_of(graph, range(400))
    assert peak is not None and in_file is not None and peak < in_file


def test_a_search_that_ends_early_is_told() -> None:
    sizes = [(3, 4), (5, 2), (2, 8), (1, 4)]
    module = fused(branches(sizes))
    assert notes_of(OrderOperators(SearchLimits(order_steps=1))(module))[0].startswith("the order of the")
    assert not notes_of(OrderOperators()(module))
