"""Pairs of an input and an output become states of the device's integers, or are refused by name."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.passes.layout_tools import run_on_vm
from tests.tools.kernel_runner import dequantized, module_of, quantized, run_cases
from tinycc import tvm_adapter
from tinycc.edges import Edge, Edges, read_edges, with_edges
from tinycc.errors import UnsupportedError
from tinycc.passes.pair_states import PairStates
from tinycc.states import read_states, state_parameters

IMAGE = (1, 2, 3, 4)


def paired(module: tvm.IRModule, pairs: Mapping[str, str]) -> tvm.IRModule:
    result = tvm.transform.Sequential([PairStates(pairs)])(module)
    assert relax.analysis.check_well_formed(result)
    return result


def with_input(module: tvm.IRModule, index: int, **fields: object) -> tvm.IRModule:
    """The module with other facts about an input."""
    edges = read_edges(module)
    inputs: list[Edge] = list(edges.inputs)
    inputs[index] = replace(inputs[index], **fields)  # type: ignore[arg-type]
    module.update_func(
        module.get_global_var("main"), with_edges(module["main"], Edges(tuple(inputs), edges.outputs))
    )
    return module


def names(edges: Sequence[Edge]) -> list[str]:
    return [edge.name for edge in edges]


def larger(x: relax.Expr, held: relax.Expr) -> list[relax.Expr]:
    """The old state, and the largest that was seen."""
    one, other = (dequantized(item, 0.1, -3) for item in (x, held))
    return [held, quantized(relax.op.maximum(one, other), 0.1, -3)]


def test_a_pair_of_integers_is_a_state_that_begins_with_the_zero_point() -> None:
    module = module_of([(IMAGE, "int8")] * 2, larger)
    module = with_input(module, 1, scale=0.1, zero_point=-3)
    edges = read_edges(module)
    targets = (edges.outputs[0], replace(edges.outputs[1], scale=0.1, zero_point=-3))
    module["main"] = with_edges(module["main"], Edges(edges.inputs, targets))
    after = paired(module, {"in1": "out1"})
    assert names(read_edges(after).inputs) == ["in0"] and names(read_edges(after).outputs) == ["out0"]
    [state] = read_states(after["main"])
    assert (state.name, state.initial) == ("in1", -3)
    cases = [np.full(IMAGE, value, np.int8) for value in (5, 1, 9)]
    outputs = [output for [output] in run_cases(after, [[case] for case in cases])]
    np.testing.assert_array_equal([output.flat[0] for output in outputs], [-3, 5, 5])


def test_float_edges_that_are_quantized_at_once_are_a_state_of_integers() -> None:
    def body(x: relax.Expr, held: relax.Expr) -> list[relax.Expr]:
        integers = [quantized(item, 0.1, -3) for item in (x, held)]
        return [dequantized(item, 0.1, -3) for item in larger(*integers)]

    after = paired(module_of([(IMAGE, "float32")] * 2, body), {"in1": "out1"})
    [state] = state_parameters(after["main"])
    assert tvm_adapter.dtype_of(state) == "int8" and read_states(after["main"])[0].initial == -3
    # The other edges stay as they are.
    assert [edge.scale for edge in (*read_edges(after).inputs, *read_edges(after).outputs)] == [None, None]
    assert tvm_adapter.dtype_of(after["main"].params[0]) == "float32"


def test_states_come_last_in_the_order_of_the_pairs_behind_those_that_are_there() -> None:
    def body(*inputs: relax.Expr) -> list[relax.Expr]:
        return [relax.op.clip(item, -9, 9) for item in inputs]

    module = module_of([((1, size), "int8") for size in (1, 2, 3)], body, [((1, 4), "int8", 7)])
    after = paired(module, {"in2": "out2", "in0": "out0"})
    assert [state.name for state in read_states(after["main"])] == ["state0", "in2", "in0"]
    sizes = [tvm_adapter.shape_of(variable)[1] for variable in after["main"].params]
    assert sizes == [tvm_adapter.shape_of(item)[1] for item in tvm_adapter.returned(after["main"])]
    assert sizes == [2, 4, 3, 1]


def test_a_next_value_that_lies_in_another_layout_is_transposed() -> None:
    """The file has [1,4,2,3] of both; the device's input is NHWC, its output not."""
    random = np.random.default_rng(0)
    images = [random.integers(-128, 128, IMAGE).astype(np.int8) for _ in range(2)]
    module = module_of([(IMAGE, "int8")] * 2, lambda x, held: [x, relax.op.permute_dims(held, (0, 3, 1, 2))])
    module = with_input(module, 1, shape=(1, 4, 2, 3), permutation=(0, 2, 3, 1))
    _, held = run_on_vm(paired(module, {"in1": "out1"}), images)
    np.testing.assert_array_equal(held, images[1])


def test_no_pairs_change_nothing() -> None:
    module = module_of([(IMAGE, "int8")] * 2, larger)
    tvm.ir.assert_structural_equal(paired(module, {}), module)


def three(x: relax.Expr, held: relax.Expr, wide: relax.Expr) -> list[relax.Expr]:
    return [quantized(dequantized(x, 0.1), 0.2), *larger(x, held), wide]


def test_quantizations_that_differ_are_refused() -> None:
    """Of a float edge, whose integers are read in another quantization than they were written in."""

    def body(x: relax.Expr, held: relax.Expr) -> list[relax.Expr]:
        return [dequantized(quantized(x, 0.5), 0.5), dequantized(quantized(held, 0.25), 0.125, 1)]

    module = module_of([(IMAGE, "float32")] * 2, body)
    text = "of scale 0.25 and zero point 0, the output of scale 0.125 and zero point 1"
    with pytest.raises(UnsupportedError, match=text):
        paired(module, {"in1": "out1"})


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ({"nobody": "out1"}, r"no input nobody \(its inputs: in0, in1, in2\)"),
        ({"in0": "nothing"}, r"no output nothing \(its outputs: out0, out1, out2, out3\)"),
        ({"in0": "out1", "in1": "out1"}, "out1 is the next value of several states"),
        ({"in0": "out3"}, r"the input is int8\[1, 2, 3, 4\], the output int8\[1, 5\]"),
    ],
)
def test_pairs_that_do_not_match_are_refused(pairs: Mapping[str, str], reason: str) -> None:
    module = module_of([(IMAGE, "int8"), (IMAGE, "int8"), ((1, 5), "int8")], three)
    with pytest.raises(UnsupportedError, match=reason):
        paired(module, pairs)


def test_a_model_keeps_an_output() -> None:
    module = module_of([(IMAGE, "int8")], lambda x: relax.op.clip(x, -9, 9))
    with pytest.raises(UnsupportedError, match="leave one to read"):
        paired(module, {"in0": "out0"})


def test_a_float_tensor_and_integers_do_not_match() -> None:
    def body(x: relax.Expr, held: relax.Expr) -> list[relax.Expr]:
        twice = relax.op.add(held, held)
        return [x, dequantized(quantized(twice, 0.1), 0.1)]

    module = relax.transform.CanonicalizeBindings()(module_of([(IMAGE, "float32")] * 2, body))
    with pytest.raises(UnsupportedError, match="the input is float32, the output int8"):
        paired(module, {"in1": "out1"})
