"""LSTM against the integer reference: states that live on between inferences, clipping, saturation.

Its kernels run on the host and on emulated cores.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tinycc
from tests.reference.activation import SIGMOID_TABLE
from tests.reference.fixed_point import Quantization
from tests.reference.interpreter import read_graph
from tests.reference.recurrent import GATES, LstmGate, lstm
from tests.tools.kernel_runner import Features, check_overlap, run_cases, views_in
from tests.tools.random_model import tied_scale
from tests.tools.states import fill_states, state_values
from tests.tools.tflite_writer import ACTIVATION, TFLiteWriter
from tests.tools.tflm import needs_tflm, run_tflm
from tinycc.errors import UnsupportedError
from tinycc.frontend.load import load_model
from tinycc.ops.unidirectional_lstm.view import UnidirectionalLSTM, sigmoid_table
from tinycc.passes import select_kernels
from tinycc.run import run
from tinycc.target import TARGETS

STEPS, INPUTS, UNITS = 3, 5, 7
WEIGHT_SCALE, RECURRENT_SCALE = float(np.float32(0.002)), float(np.float32(0.013))
# With this one sums are scaled up.
LARGE_SCALE = float(np.float32(0.02))
INPUT, HIDDEN = Quantization(float(np.float32(0.05)), 3), Quantization(float(np.float32(1 / 128)), -2)
FEATURES: tuple[Features, ...] = ((), ("dsp",), ("helium",))


@pytest.fixture(autouse=True, scope="module")
def first_preference() -> Iterator[None]:
    """Small operators run by special kernels, too, whatever they are predicted to cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(select_kernels, "is_counted", lambda _view: False)
        yield


def random_gates(
    seed: int, spread: int, inputs: int = INPUTS, units: int = UNITS, scale: float = WEIGHT_SCALE
) -> dict[str, LstmGate]:
    """Gates with weights in [-spread, spread]; scale: of those of the input."""
    generator = np.random.default_rng(seed)

    def weights(columns: int) -> np.ndarray:
        return generator.integers(-spread, spread + 1, (units, columns))

    return {
        name: LstmGate(
            weights(inputs),
            scale,
            weights(units),
            RECURRENT_SCALE,
            generator.integers(-900, 900, units),
        )
        for name in GATES
    }


def model_file(gates: dict[str, LstmGate], cell_scale: float, clip: float) -> bytes:
    units, columns = gates["input"].input_weights.shape
    net = TFLiteWriter()
    x = net.add_tensor("x", (1, STEPS, columns), scale=INPUT.scale, zero_point=INPUT.zero_point)
    inputs = [-1] * 24
    inputs[0] = x
    for index, gate in enumerate(gates.values()):
        scales = (gate.input_weight_scale, gate.recurrent_weight_scale)
        for first, value, scale in zip(
            (1, 5), (gate.input_weights, gate.recurrent_weights), scales, strict=True
        ):
            inputs[first + index] = net.add_tensor(f"w{first + index}", value.shape, scale=scale, data=value)
        inputs[12 + index] = net.add_tensor(
            f"b{index}", (units,), "int32", scale=scales[0] * INPUT.scale, data=gate.bias
        )
    hidden = {"scale": HIDDEN.scale, "zero_point": HIDDEN.zero_point}
    inputs[18] = net.add_tensor("hidden", (1, units), **hidden, variable=True)
    inputs[19] = net.add_tensor("cell", (1, units), "int16", scale=cell_scale, variable=True)
    y = net.add_tensor("y", (1, STEPS, units), **hidden)
    options = {"CellClip": clip, "FusedActivationFunction": ACTIVATION.get("TANH", 4)}
    net.add_operator(
        "UNIDIRECTIONAL_SEQUENCE_LSTM", inputs, [y], "UnidirectionalSequenceLSTMOptions", **options
    )
    return net.finish([x], [y])


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(0, 999),
    st.sampled_from(FEATURES),
    st.tuples(st.sampled_from([1, 5, 16, 21]), st.sampled_from([5, 7, 8])),
    st.sampled_from([5, 40, 127]),
    st.sampled_from([WEIGHT_SCALE, LARGE_SCALE]),
    st.integers(-15, -9),
    st.sampled_from([0.0, 0.6, 3.0]),
)
def test_equals_the_reference(
    tmp_path: Path,
    seed: int,
    features: Features,
    lengths: tuple[int, int],
    spread: int,
    scale: float,
    exponent: int,
    clip: float,
) -> None:
    columns, units = lengths
    gates = random_gates(seed, spread, columns, units, scale)
    path = tmp_path / "lstm.tflite"
    path.write_bytes(model_file(gates, 2.0**exponent, clip))
    module = load_model(path)
    [view] = views_in(module, features)
    assert view.variant == (features[0] if features and scale == WEIGHT_SCALE else "portable")
    inputs = np.random.default_rng(seed).integers(-128, 128, (4, 1, STEPS, columns)).astype(np.int8)
    hidden, cell = np.full((1, units), HIDDEN.zero_point), np.zeros((1, units), np.int64)
    quantizations = (INPUT, HIDDEN, Quantization(2.0**exponent))
    outputs = run_cases(module, [[case] for case in inputs], features=features)
    for case, [result] in zip(inputs, outputs, strict=True):
        expected, hidden, cell = lstm(case, gates, hidden, cell, quantizations, clip)
        np.testing.assert_array_equal(result, expected)


@needs_tflm
def test_the_reference_equals_tflite_micro() -> None:
    """Cells tell each step of a gate; here its sum lies in the middle between two steps, as far as it can."""
    generator = np.random.default_rng(0)
    for _ in range(60):
        weights = generator.integers(-127, 128, (4, 2)) | 1
        steps = 100 * abs(int(weights[2, 0]))
        scale = 2.0**-12 / (INPUT.scale * tied_scale(1.0, steps, steps / generator.uniform(1000, 4000)))
        gates = {
            name: LstmGate(
                np.array([[of_input]]), float(np.float32(scale)), np.array([[recurrent]]), RECURRENT_SCALE,
                np.zeros(1, np.int64),
            )
            for name, (of_input, recurrent) in zip(GATES, weights, strict=True)
        }  # fmt: skip
        content = model_file(gates, 2.0**-15, 0.0)
        [operator] = read_graph(content).operators
        value = np.full((1, STEPS, 1), INPUT.zero_point + 100, np.int8)
        output, cell = run_tflm(content, [value[None]], [operator.outputs[0], operator.inputs[19]])
        quantizations = (INPUT, HIDDEN, Quantization(2.0**-15))
        hidden, zero = np.full((1, 1), HIDDEN.zero_point), np.zeros((1, 1))
        expected, _, expected_cell = lstm(value, gates, hidden, zero, quantizations)
        np.testing.assert_array_equal(output[0], expected)
        np.testing.assert_array_equal(cell[0], expected_cell)


def test_gates_may_have_equal_constants(tmp_path: Path) -> None:
    """As in a network whose biases were not trained."""
    gates = random_gates(3, 40)
    gates = {name: replace(gate, bias=np.zeros(UNITS, np.int64)) for name, gate in gates.items()}
    gates["output"] = gates["input"]
    path = tmp_path / "lstm.tflite"
    path.write_bytes(model_file(gates, 2.0**-11, 0.0))
    value = np.random.default_rng(3).integers(-128, 128, (1, STEPS, INPUTS)).astype(np.int8)
    [[result]] = run_cases(load_model(path), [[value]])
    hidden, cell = np.full((1, UNITS), HIDDEN.zero_point), np.zeros((1, UNITS), np.int64)
    expected, _, _ = lstm(value, gates, hidden, cell, (INPUT, HIDDEN, Quantization(2.0**-11)), 0.0)
    np.testing.assert_array_equal(result, expected)


@pytest.mark.emulator
@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7", "cortex-m33", "cortex-m55"])
@pytest.mark.parametrize("lengths", [(1, 1), (21, 7), (16, 24)])
def test_on_a_core(
    core: str, lengths: tuple[int, int], tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    columns, units = lengths
    gates = random_gates(2, 127, columns, units)
    path, folder = tmp_path / "lstm.tflite", tmp_path / "out"
    path.write_bytes(model_file(gates, 2.0**-11, 3.0))
    [view] = views_in(load_model(path), TARGETS[core].features)
    assert view.variant == ("helium" if core == "cortex-m55" else "dsp")
    tinycc.compile(path, target=core, io="int8").export(folder)
    fill_states(folder)
    values = np.random.default_rng(1).integers(-128, 128, (1, STEPS, columns)).astype(np.int8)
    result = run(folder, core, [values[None]])
    state = state_values(units)
    expected, _, _ = lstm(values, gates, state, state, (INPUT, HIDDEN, Quantization(2.0**-11)), 3.0)
    np.testing.assert_array_equal(result.outputs[0].reshape(expected.shape), expected)


def test_view(tmp_path: Path) -> None:
    path = tmp_path / "lstm.tflite"
    path.write_bytes(model_file(random_gates(0, 9), 2.0**-11, 0.0))
    [view] = views_in(load_model(path))
    assert isinstance(view, UnidirectionalLSTM)
    assert view.macs == STEPS * 4 * UNITS * (INPUTS + UNITS)
    assert (view.describe(), view.state_count) == ("3 steps, 7 units", 2)
    assert [str(tensor) for tensor in view.inputs] == ["int8 [1,3,5]", "int8 [1,7]", "int16 [1,7]"]
    # The output is written up to byte 20 while the last step, from byte 10 of the input, is read.
    assert view.overlap_distance(0) == 10


@pytest.mark.parametrize("features", FEATURES)
def test_overlap_distance(tmp_path: Path, features: Features) -> None:
    path = tmp_path / "lstm.tflite"
    path.write_bytes(model_file(random_gates(6, 12), 2.0**-11, 0.0))
    values = np.random.default_rng(6).integers(-128, 128, (1, STEPS, INPUTS)).astype(np.int8)
    check_overlap(load_model(path), [values], features=features)


def test_sigmoid_table_is_that_of_tflite() -> None:
    np.testing.assert_array_equal(sigmoid_table().astype(np.int64) + 2**15, SIGMOID_TABLE)


def test_cells_that_are_no_power_of_two_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "lstm.tflite"
    path.write_bytes(model_file(random_gates(0, 9), 0.0003, 0.0))
    with pytest.raises(UnsupportedError, match="power of two"):
        views_in(load_model(path))
