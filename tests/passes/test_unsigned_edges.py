"""Edges that are uint8 in the file are so on the device, at no cost where a kernel takes or makes uint8."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
import tvm
from tvm import relax
from tvm.ir import assert_structural_equal

from tests.passes.layout_tools import run_on_vm
from tests.tools.assert_pass import names_in
from tests.tools.kernel_runner import dequantized, module_of, quantized, run_plan
from tinycc import tvm_adapter
from tinycc.edges import Edges, read_edges, with_edges
from tinycc.passes.fuse_quantized_ops import FuseQuantizedOps
from tinycc.passes.lower_fallbacks import LowerFallbacks
from tinycc.passes.pipeline import default_passes
from tinycc.passes.unsigned_edges import UnsignedEdges
from tinycc.plan import build_plan
from tinycc.tvm_adapter import EliminateCommonSubexpr

SHAPE = (1, 4, 4, 16)
BYTES = np.arange(256, dtype=np.uint8).reshape(SHAPE)
Body = Callable[[relax.Expr], relax.Expr | Sequence[relax.Expr]]


def convolution(x: relax.Expr, seed: int = 0) -> relax.Expr:
    weights = np.random.default_rng(seed).integers(-127, 128, (1, 1, 16, 16)).astype(np.int8)
    product = relax.op.nn.conv2d(
        dequantized(x, 0.05, 3), dequantized(weights, 0.01), data_layout="NHWC", kernel_layout="HWIO"
    )
    return quantized(product, 0.3, -5)


def sigmoid(x: relax.Expr) -> relax.Expr:
    return quantized(relax.op.sigmoid(dequantized(x, 0.05, 3)), 1 / 256, -128)


def with_uint8(body: Body, sides: Sequence[str] = ("inputs", "outputs")) -> tvm.IRModule:
    """A module with an int8 parameter whose edges on these sides are uint8 in the file."""
    module = module_of([(SHAPE, "int8")], body)
    edges = read_edges(module)
    fields = {
        side: tuple(
            replace(edge, dtype="uint8", scale=0.05, zero_point=3) if side in sides else edge
            for edge in getattr(edges, side)
        )
        for side in ("inputs", "outputs")
    }
    module.update_func(module.get_global_var("main"), with_edges(module["main"], Edges(**fields)))
    return tvm.transform.Sequential([relax.transform.CanonicalizeBindings(), EliminateCommonSubexpr()])(
        module
    )


def after_pass(body: Body, sides: Sequence[str] = ("inputs", "outputs")) -> tvm.IRModule:
    """The module after the pass, which computes on TVM's VM what it computed before, 128 more."""
    prepare = [FuseQuantizedOps(), LowerFallbacks()]
    before = tvm.transform.Sequential(prepare)(with_uint8(body, sides))
    after = UnsignedEdges()(before)
    assert relax.analysis.check_well_formed(after)
    signed = (BYTES ^ 0x80).view(np.int8)
    given = BYTES if "inputs" in sides else signed
    for expected, result in zip(run_on_vm(before, [signed]), run_on_vm(after, [given]), strict=True):
        is_shifted = "outputs" in sides and expected.dtype == np.int8
        wanted = (expected.view(np.uint8) ^ 0x80) if is_shifted else expected
        np.testing.assert_array_equal(result, wanted)
        assert result.dtype == wanted.dtype
    return after


def test_integers_of_a_convolution_flip_their_sign_before_and_after_it() -> None:
    assert names_in(after_pass(convolution)) == ["requantize", "conv2d", "requantize"]


@pytest.mark.parametrize("sides", [("inputs",), ("outputs",), ("inputs", "outputs")])
def test_tables_read_and_make_uint8(sides: Sequence[str]) -> None:
    assert names_in(after_pass(sigmoid, sides)) == ["lookup"]


def test_a_requantization_reads_and_makes_uint8() -> None:
    after = after_pass(lambda x: quantized(dequantized(x, 0.05, 3), 0.2, -7))
    assert names_in(after) == ["requantize"]


def test_float_edges_that_stay_cost_no_more() -> None:
    assert names_in(after_pass(lambda x: dequantized(x, 0.05, 3), ["inputs"])) == ["dequantize"]


def test_an_index_of_the_largest_is_that_of_uint8() -> None:
    after = after_pass(lambda x: relax.op.astype(relax.op.argmax(x, 3), "int32"), ["inputs"])
    assert names_in(after) == ["arg_max"]


def test_another_shape_is_in_nobody_s_way() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        return relax.op.reshape(sigmoid(relax.op.reshape(x, (1, 256))), (1, 16, 16))

    assert names_in(after_pass(body)) == ["reshape", "lookup", "reshape"]


def test_readers_of_an_input_share_its_conversion() -> None:
    after = after_pass(lambda x: [convolution(x, 0), convolution(relax.op.reshape(x, SHAPE), 1)], ["inputs"])
    assert names_in(after).count("requantize") == 1


def test_results_that_are_one_tensor_share_its_conversion() -> None:
    def body(x: relax.Expr) -> list[relax.Expr]:
        result = convolution(x)
        return [result, result, relax.op.reshape(result, (1, 256))]

    after = after_pass(body, ["outputs"])
    assert names_in(after) == ["conv2d", "requantize", "reshape"]


def test_a_result_that_is_read_stays_int8_within() -> None:
    def body(x: relax.Expr) -> list[relax.Expr]:
        table = sigmoid(x)
        return [table, quantized(relax.op.tanh(dequantized(table, 1 / 256, -128)), 1 / 128)]

    after = after_pass(body, ["outputs"])
    assert names_in(after) == ["lookup", "lookup", "requantize"]


def test_an_input_given_out_as_it_is_is_not_touched() -> None:
    assert names_in(after_pass(lambda x: [x, sigmoid(x)])) == ["lookup"]


def test_a_constant_result_is_shifted() -> None:
    constant = relax.const(np.arange(-3, 5, dtype=np.int8))
    after = after_pass(lambda x: [sigmoid(x), constant], ["outputs"])
    assert tvm_adapter.constant_value(tvm_adapter.returned(after["main"])[1]).tolist() == list(
        range(125, 133)
    )


def test_edges_have_the_zero_points_of_the_file() -> None:
    edges = read_edges(after_pass(convolution, ["inputs"]))
    assert (edges.inputs[0].zero_point, edges.outputs[0].zero_point) == (131, 0)


def test_edges_of_other_types_are_left_alone() -> None:
    module = FuseQuantizedOps()(with_uint8(convolution, []))
    assert_structural_equal(UnsignedEdges()(module), module)


BODIES: dict[str, Body] = {
    "convolution": convolution,
    "table": sigmoid,
    "rescaling": lambda x: quantized(dequantized(x, 0.05, 3), 0.2, -7),
    "index": lambda x: relax.op.argmax(x, 3),
}


@pytest.mark.parametrize("sides", [("inputs",), ("outputs",), ("inputs", "outputs")])
def test_gathers_of_helium_read_and_make_uint8(sides: Sequence[str]) -> None:
    results = []
    for features in ((), ("helium",)):
        passes = tvm.transform.Sequential(default_passes("integer", features=features))
        plan = build_plan(passes(with_uint8(sigmoid, sides)))
        assert [step.operator.variant for step in plan.steps] == [features[0] if features else "portable"]
        value = BYTES if "inputs" in sides else (BYTES ^ 0x80).view(np.int8)
        results.append(run_plan(plan, [[value]], sanitize=True)[0][0])
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("name", BODIES)
def test_c_of_uint8_computes_what_c_of_int8_does(name: str) -> None:
    """`io` "int8" is the pass left out: its C is the reference."""
    results = []
    for io, value in (("int8", (BYTES ^ 0x80).view(np.int8)), ("integer", BYTES)):
        module = tvm.transform.Sequential(default_passes(io))(with_uint8(BODIES[name]))
        [[result]] = run_plan(build_plan(module), [[value]], sanitize=True)
        results.append(result)
    if results[0].dtype == np.int8:
        results[0] = results[0].view(np.uint8) ^ 0x80
    np.testing.assert_array_equal(results[1], results[0])
    assert tvm_adapter.dtype_of(module["main"].params[0]) == "uint8"
