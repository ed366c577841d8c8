"""The input goes through an operator that takes its rows; where it cannot, it is said why."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.passes.layout_tools import random_inputs, run_on_vm
from tests.tools.assert_pass import names_in
from tests.tools.kernel_runner import dequantized, module_of, quantized
from tests.tools.networks import Network, shared
from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.ops.input_rows import row_input
from tinycc.passes.pipeline import InputMode, default_passes
from tinycc.passes.stream_input import StreamInput
from tinycc.plan import Plan, build_plan
from tinycc.plan.row_input import add_row_input

IMAGE = [((1, 6, 4, 2), "int8")]


def fused(inputs: list[tuple[tuple[int, ...], str]], body: Callable[..., Any]) -> tvm.IRModule:
    """The module as StreamInput finds it."""
    passes = default_passes("float")
    last = [item.info.name for item in passes].index("LowerFallbacks")
    return tvm.transform.Sequential(passes[: last + 1])(shared(module_of(inputs, body)))


def residual(x: relax.Expr) -> relax.Expr:
    network = Network()
    return network.add(network.convolution(x, 2, 2, 3), x)


def test_all_readers_read_the_rows() -> None:
    before = fused(IMAGE, residual)
    after = StreamInput()(before)
    assert relax.analysis.check_well_formed(after)
    assert names_in(after) == ["input_rows", *names_in(before)]
    [x] = after["main"].params
    reads = [tvm_adapter.variables_of(item.value).count(x) for item in tvm_adapter.bindings_of(after["main"])]
    assert reads == [1, 0, 0] and row_input(after["main"]) == x
    assert row_input(before["main"]) is None


def test_the_module_computes_what_it_did() -> None:
    before = fused(IMAGE, residual)
    [result] = run_on_vm(StreamInput()(before), random_inputs(before))
    np.testing.assert_array_equal(result, run_on_vm(before, random_inputs(before))[0])


def test_a_vector_that_is_an_image_at_once_comes_in_the_rows_of_the_image() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        return Network().convolution(relax.op.reshape(x, (1, 6, 4, 2)), 3, 2, 3)

    after = StreamInput()(fused([((1, 48), "int8")], body))
    assert names_in(after) == ["reshape", "input_rows", "conv2d"]


def test_an_image_whose_one_channel_stands_in_front_comes_in_the_rows_of_the_image() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        return Network().convolution(relax.op.reshape(x, (1, 6, 8, 1)), 3, 1, 3)

    after = StreamInput()(fused([((1, 1, 6, 8), "int8")], body))
    assert names_in(after) == ["reshape", "input_rows", "conv2d"]


def smoothed(x: relax.Expr) -> relax.Expr:
    real = relax.op.image.resize2d(dequantized(x, 0.1), (12, 8), layout="NHWC", method="linear")
    return quantized(real, 0.1)


def multiplied(x: relax.Expr) -> relax.Expr:
    return Network().dense(x, 48, 3)


def constant(_x: relax.Expr) -> relax.Expr:
    return quantized(relax.op.tanh(dequantized(np.zeros((1, 3), np.int8), 0.1)), 0.01)


REFUSED = {
    "2 inputs": ([*IMAGE, *IMAGE], lambda x, y: Network().add(x, y)),
    r"\[1,48\] is no image of rows": ([((1, 48), "int8")], multiplied),
    "resize_bilinear .* reads all of it at once": (IMAGE, smoothed),
    "the model returns it": (IMAGE, lambda x: [residual(x), x]),
    "no operator reads it": (IMAGE, constant),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_come_by_rows_is_refused_with_the_reason(reason: str) -> None:
    module = fused(*REFUSED[reason])
    with pytest.raises(UnsupportedError, match=f"{reason}.*--input-mode tensor"):
        StreamInput()(module)


def test_readers_that_no_stage_holds_together_are_refused() -> None:
    """The mean is there when the last row is, and then all rows are needed once more."""

    def body(x: relax.Expr) -> relax.Expr:
        network = Network()
        return network.add(network.mean(x), x)

    with pytest.raises(UnsupportedError, match=r"no stage holds all operators that read it.*--input-mode"):
        planned(body)


def planned(body: Callable[..., Any], input_mode: InputMode = "rows") -> Plan:
    module = shared(module_of(IMAGE, body))
    return build_plan(tvm.transform.Sequential(default_passes("float", input_mode=input_mode))(module))


def test_an_operator_that_runs_before_the_rows_come_is_refused() -> None:
    """It would run while the caller writes the first row."""
    with pytest.raises(UnsupportedError, match=r"conv2d_0 runs before it is read; .*--input-mode tensor"):
        add_row_input(planned(residual, "tensor").steps, {})
