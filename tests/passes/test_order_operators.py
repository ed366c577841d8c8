"""The order of operators: executable, and of all orders the one with the least peak."""

import itertools

import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.tools.assert_pass import names_in
from tests.tools.kernel_runner import module_of
from tinycc import tvm_adapter
from tinycc.passes.order_operators import OrderOperators
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
