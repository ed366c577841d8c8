"""Resource variables of TFLite files are states: read, assigned and initialised as TFLite Micro does it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tflite
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tools.corpus import SLOW
from tests.tools.kernel_runner import run_cases
from tests.tools.tflite_variables import assign_variable, handle, initialize, read_variable, small
from tests.tools.tflite_writer import TFLiteWriter
from tests.tools.tflm import needs_tflm, run_tflm
from tinycc import tvm_adapter
from tinycc.errors import TinyccError
from tinycc.frontend.load import describe_model, load_model
from tinycc.frontend.tflite.signatures import SIGNATURES
from tinycc.states import read_states, state_parameters

SHAPE = (1, 4)
MEANING = {"scale": 0.1, "zero_point": -3}
STEPS = 4
INT32 = 2  # of the schema's TensorType


def tensor(net: TFLiteWriter, name: str, shape: tuple[int, ...] = SHAPE) -> int:
    return net.add_tensor(name, shape, **MEANING)


def maximum(net: TFLiteWriter, left: int, right: int) -> int:
    result = tensor(net, "maximum")
    net.add_operator("MAXIMUM", [left, right], [result], "MaximumMinimumOptions")
    return result


def old(net: TFLiteWriter, name: str = "memory") -> int:
    return read_variable(net, name, SHAPE, **MEANING)


def steps(blob: bytes, folder: Path, cases: list[np.ndarray]) -> list[list[np.ndarray]]:
    """What the generated C computes in successive inferences."""
    path = folder / "model.tflite"
    path.write_bytes(blob)
    return run_cases(load_model(path), [[case] for case in cases])


def test_a_variable_starts_with_what_call_once_assigns_and_keeps_what_is_assigned(tmp_path: Path) -> None:
    net = TFLiteWriter()
    x = tensor(net, "x")
    initialize(net, {"memory": small(1, -2, 3, -4)})
    before = old(net)
    assign_variable(net, "memory", maximum(net, x, before))
    cases = [small(0, 0, 0, 0), small(5, 5, 5, 5), small(-9, 0, 9, 0)]
    outputs = steps(net.finish([x], [before]), tmp_path, cases)
    for [output], expected in zip(outputs, [(1, -2, 3, -4), (1, 0, 3, 0), (5, 5, 5, 5)], strict=True):
        np.testing.assert_array_equal(output, small(*expected))


def test_equal_initial_values_are_one_number(tmp_path: Path) -> None:
    net = TFLiteWriter()
    x = tensor(net, "x")
    initialize(net, {"one": small(7, 7, 7, 7), "other": small(7, 7, 7, 8)})
    results = [old(net, name) for name in ("one", "other")]
    for name in ("one", "other"):
        assign_variable(net, name, x)
    (tmp_path / "model.tflite").write_bytes(net.finish([x], results))
    main = load_model(tmp_path / "model.tflite")["main"]
    one, other = read_states(main)
    assert (one.name, one.initial, other.name) == ("one", 7, "other")
    np.testing.assert_array_equal(other.initial, small(7, 7, 7, 8))
    assert [tvm_adapter.shape_of(variable) for variable in state_parameters(main)] == [SHAPE, SHAPE]


def test_a_variable_without_initial_value_starts_as_the_real_0(tmp_path: Path) -> None:
    net = TFLiteWriter()
    x = tensor(net, "x")
    before = old(net)
    assign_variable(net, "memory", x)
    [[first], [second]] = steps(net.finish([x], [before]), tmp_path, [small(1, 2, 3, 4)] * 2)
    np.testing.assert_array_equal(first, small(-3, -3, -3, -3))
    np.testing.assert_array_equal(second, small(1, 2, 3, 4))


def test_a_read_sees_what_was_assigned_before_it(tmp_path: Path) -> None:
    net = TFLiteWriter()
    x = tensor(net, "x")
    initialize(net, {"memory": small(1, 1, 1, 1)})
    results = [old(net)]
    assign_variable(net, "memory", x)
    results.append(old(net))
    assign_variable(net, "memory", maximum(net, x, results[0]))
    results.append(old(net))
    [first, second] = steps(net.finish([x], results), tmp_path, [small(0, 2, 0, 2), small(0, 0, 0, 0)])
    for output, expected in zip([*first, second[0]], [(1, 1), (0, 2), (1, 2), (1, 2)], strict=True):
        np.testing.assert_array_equal(output, small(*expected, *expected))


def test_what_no_inference_assigns_is_a_constant(tmp_path: Path) -> None:
    net = TFLiteWriter()
    x = tensor(net, "x")
    initialize(net, {"memory": small(4, 3, 2, 1)})
    blob = net.finish([x], [maximum(net, x, old(net))])
    [[output]] = steps(blob, tmp_path, [small(0, 9, 0, 9)])
    np.testing.assert_array_equal(output, small(4, 9, 2, 9))
    assert not state_parameters(load_model(tmp_path / "model.tflite")["main"])


def test_what_nothing_reads_is_left_out(tmp_path: Path) -> None:
    net = TFLiteWriter()
    x = tensor(net, "x")
    initialize(net, {"memory": small(4, 3, 2, 1)})
    y = maximum(net, x, x)
    assign_variable(net, "memory", y)
    (tmp_path / "model.tflite").write_bytes(net.finish([x], [y]))
    assert not state_parameters(load_model(tmp_path / "model.tflite")["main"])


def test_containers_tell_variables_apart(tmp_path: Path) -> None:
    net = TFLiteWriter()
    x = tensor(net, "x")
    results = []
    for container, value in (("a", x), ("b", maximum(net, x, x))):
        results.append(tensor(net, "old"))
        net.add_operator("READ_VARIABLE", [handle(net, "memory", container)], results[-1:])
        net.add_operator("ASSIGN_VARIABLE", [handle(net, "memory", container), value], [])
    (tmp_path / "model.tflite").write_bytes(net.finish([x], results))
    assert len(state_parameters(load_model(tmp_path / "model.tflite")["main"])) == 2


def test_uint8_variables_are_int8_on_the_device(tmp_path: Path) -> None:
    """An uint8 edge of an int8 model."""
    meaning = {"scale": 0.1, "zero_point": 125}
    net = TFLiteWriter()
    x = net.add_tensor("x", SHAPE, "uint8", **meaning)
    initialize(net, {"memory": np.array([[1, 2, 3, 255]], np.uint8)})
    before = read_variable(net, "memory", SHAPE, "uint8", **meaning)
    assign_variable(net, "memory", x)
    y = tensor(net, "y")
    net.add_operator("QUANTIZE", [before], [y], "QuantizeOptions")
    [[first], [second]] = steps(net.finish([x], [y]), tmp_path, [np.array([[0, 1, 128, 255]], np.uint8)] * 2)
    np.testing.assert_array_equal(first, small(-127, -126, -125, 127))
    np.testing.assert_array_equal(second, small(-128, -127, 0, 127))


def test_inspect_lists_the_operators_of_variables_as_supported(tmp_path: Path) -> None:
    net = TFLiteWriter()
    x = tensor(net, "x")
    initialize(net, {"memory": small(1, 2, 3, 4)})
    before = old(net)
    assign_variable(net, "memory", maximum(net, x, before))
    (tmp_path / "model.tflite").write_bytes(net.finish([x], [before]))
    operators = describe_model(tmp_path / "model.tflite").operators
    kinds = ["CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "MAXIMUM", "VAR_HANDLE", "ASSIGN_VARIABLE"]
    assert [operator.kind for operator in operators] == kinds
    assert all(operator.supported for operator in operators)
    assert [operator.inputs for operator in operators] == [(), (), (), (SHAPE, SHAPE), (), (SHAPE,)]


def random_model(seed: int) -> bytes:
    """Reads, assignments and maxima in a random order; some variables are initialised."""
    random = np.random.default_rng(seed)
    names = [f"v{index}" for index in range(3)]
    net = TFLiteWriter()
    values = [tensor(net, "x")]
    starts = {name: random.integers(-128, 128, SHAPE).astype(np.int8) for name in names}
    starts = {name: value for name, value in starts.items() if random.random() < 0.6}
    initialize(net, starts)
    reads = []
    for _ in range(8):
        name, kind = names[random.integers(3)], random.integers(3)
        if kind == 0:
            reads.append(old(net, name))
            values.append(reads[-1])
        elif kind == 1:
            left, right = (values[random.integers(len(values))] for _ in range(2))
            values.append(maximum(net, left, right))
        else:
            assign_variable(net, name, values[random.integers(len(values))])
    # Whatever was read or not, TFLite Micro wants all of them assigned.
    for name in names:
        reads.append(old(net, name))
        assign_variable(net, name, values[random.integers(len(values))])
    return net.finish(values[:1], [maximum(net, values[0], item) for item in reads])


@needs_tflm
@settings(max_examples=100 if SLOW else 6, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_random_programs_agree_with_tflite_micro(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    blob = random_model(seed)
    cases = np.random.default_rng(seed).integers(-128, 128, (STEPS, *SHAPE)).astype(np.int8)
    expected = run_tflm(blob, [cases])
    found = steps(blob, tmp_path_factory.mktemp("model"), list(cases))
    for step, outputs in enumerate(found):
        for output, wanted in zip(outputs, expected, strict=True):
            np.testing.assert_array_equal(output, wanted[step], f"inference {step}")


def call_once_of_nothing(net: TFLiteWriter, x: int) -> None:
    net.add_operator("CALL_ONCE", [], [], "CallOnceOptions", InitSubgraphIndex=3)


def call_once_too_late(net: TFLiteWriter, x: int) -> None:
    assign_variable(net, "memory", x)
    initialize(net, {"memory": small(1, 2, 3, 4)})


def computing_initializer(net: TFLiteWriter, x: int) -> None:
    start = initialize(net, {})
    left = start.add_tensor("a", SHAPE, data=small(1, 2, 3, 4), **MEANING)
    assign_variable(start, "memory", maximum(start, left, left))
    assign_variable(net, "memory", x)


def another_type(net: TFLiteWriter, x: int) -> None:
    assign_variable(net, "memory", x)
    read_variable(net, "memory", SHAPE, "int16", scale=0.1)


def another_size(net: TFLiteWriter, x: int) -> None:
    assign_variable(net, "memory", x)
    read_variable(net, "memory", (1, 5), **MEANING)


def never_assigned(net: TFLiteWriter, x: int) -> None:
    old(net)


def no_handle(net: TFLiteWriter, x: int) -> None:
    net.add_operator("READ_VARIABLE", [x], [tensor(net, "y")])
    handle(net, "memory")


def constant_in_each_inference(net: TFLiteWriter, x: int) -> None:
    old(net)
    assign_variable(net, "memory", net.add_tensor("c", SHAPE, data=small(1, 2, 3, 4), **MEANING))


def handle_elsewhere(net: TFLiteWriter, x: int) -> None:
    size = net.add_tensor("size", (0,), "int32")
    net.add_operator("SHAPE", [handle(net, "memory")], [size], "ShapeOptions", OutType=INT32)


def container_in_doubt(net: TFLiteWriter, x: int) -> None:
    for container in ("", "box"):
        net.add_operator("ASSIGN_VARIABLE", [handle(net, "memory", container), x], [])


def handle_written_twice(net: TFLiteWriter, x: int) -> None:
    result = handle(net, "memory")
    net.add_operator("VAR_HANDLE", [], [result], "VarHandleOptions", SharedName="other")
    net.add_operator("ASSIGN_VARIABLE", [result, x], [])


def second_subgraph_without_call_once(net: TFLiteWriter, x: int) -> None:
    TFLiteWriter(net)


@pytest.mark.parametrize(
    ("add", "reason"),
    [
        (call_once_of_nothing, "CALL_ONCE.* runs the subgraph 3 of 0 behind the first"),
        (call_once_too_late, "CALL_ONCE.* comes after variables are read or assigned"),
        (computing_initializer, "MAXIMUM.* of the subgraph 1.* does more than"),
        (another_type, r"memory is int8\[1, 4\] in one place and int16\[1, 4\] in another"),
        (another_size, r"memory is int8\[1, 4\] in one place and int8\[1, 5\] in another"),
        (never_assigned, "memory is read, and nothing is assigned to it"),
        (no_handle, "READ_VARIABLE.* has no handle of a variable"),
        (constant_in_each_inference, "assigns a constant in each inference"),
        (handle_elsewhere, r"handle of a variable, which goes to operator 1 \(SHAPE\)"),
        (container_in_doubt, "memory with and without a container"),
        (handle_written_twice, "writes a handle that was written before"),
        (second_subgraph_without_call_once, "2 subgraphs"),
    ],
)
def test_what_cannot_be_a_state_is_refused(
    add: Callable[[TFLiteWriter, int], None], reason: str, tmp_path: Path
) -> None:
    net = TFLiteWriter()
    x = tensor(net, "x")
    add(net, x)
    (tmp_path / "model.tflite").write_bytes(net.finish([x], [maximum(net, x, x)]))
    with pytest.raises(TinyccError, match=reason):
        load_model(tmp_path / "model.tflite")


@pytest.mark.parametrize("kind", ["CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"])
def test_every_field_of_the_schema_is_listed(kind: str) -> None:
    start = f"{SIGNATURES[kind].table}Add"
    assert set(SIGNATURES[kind].fields) == {
        name[len(start) :] for name in dir(tflite) if name.startswith(start)
    }
