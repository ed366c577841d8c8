"""A network learns a class that it has no output for; until then it answers as it did."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import relax

import tinycc
from tests.tools.kernel_runner import dequantized, module_of, quantized
from tests.tools.networks import SCALE, ZERO_POINT, Network, shared
from tests.tools.training_graphs import training_graph
from tinycc import training
from tinycc.errors import TrainingError
from tinycc.limits import SearchLimits
from tinycc.run import run, train
from tinycc.training import LayerScheme, Scheme

CLASSES, SPARE = 4, 2
CASES = 40


def network_ending_in(head: Callable[[Network, relax.Expr], relax.Expr]) -> tvm.IRModule:
    """A convolution, its mean, and a head of CLASSES outputs."""
    network = Network(weight_scale=0.003)

    def body(x: relax.Expr) -> relax.Expr:
        return head(network, network.mean(network.convolution(x, 16, 3, kernel=3, stride=2)))

    return shared(module_of([((1, 8, 8, 3), "int8")], body))


def dense(network: Network, x: relax.Expr) -> relax.Expr:
    return network.dense(x, 16, CLASSES)


def with_softmax(network: Network, x: relax.Expr) -> relax.Expr:
    real = dequantized(dense(network, x), SCALE, ZERO_POINT)
    return quantized(relax.op.nn.softmax(real, axis=-1), 1 / 256, -128)


def channels_first(network: Network, x: relax.Expr) -> relax.Expr:
    """As ONNX files have it: a convolution whose pixel goes away before the softmax."""
    flat = relax.op.reshape(
        relax.op.permute_dims(network.convolution(x, CLASSES, 16), (0, 3, 1, 2)), (1, CLASSES)
    )
    real = dequantized(flat, SCALE, ZERO_POINT)
    return quantized(relax.op.nn.softmax(real, axis=1), 1 / 256, -128)


MODULES = {
    "softmax": network_ending_in(with_softmax),
    "channels first": network_ending_in(channels_first),
    "bias and scales": training_graph(4),
}


@pytest.mark.parametrize("name", MODULES)
def test_answers_are_what_they_were(name: str, tmp_path: Path) -> None:
    """Scores too, where there is no softmax; a new one is never the greatest."""
    module = MODULES[name]
    images = np.random.default_rng(0).integers(-128, 128, (CASES, 1, 8, 8, 3)).astype(np.int8)
    tinycc.compile(module).export(tmp_path / "plain")
    last, limits = training.named_scheme("last:1"), SearchLimits(solver_seconds=0.5)
    compiled = training.compile(module, scheme=last, spare_classes=SPARE, limits=limits)
    compiled.export(tmp_path / "c")
    [before] = run(tmp_path / "plain", "host", [images]).outputs
    [after] = run(tmp_path / "c", "host", [images], sanitize=True).outputs
    before, after = before.reshape(CASES, -1), after.reshape(CASES, -1)
    assert after.shape[1] == before.shape[1] + SPARE
    np.testing.assert_array_equal(after.argmax(1), before.argmax(1))
    if name == "bias and scales":
        np.testing.assert_array_equal(after[:, :-SPARE], before)


def examples(labels: np.ndarray, seed: int) -> np.ndarray:
    """Noisy pictures, each of its label's colour."""
    colours = np.array([[90, -60, -60], [-60, 90, -60], [-60, -60, 90], [-60, 60, 90], [90, 60, -60]])
    noise = np.random.default_rng(seed).normal(0, 40, (len(labels), 8, 8, 3))
    return np.clip(colours[labels][:, None, None] + noise, -128, 127).astype(np.int8)


def test_a_board_learns_a_class_that_it_never_saw(tmp_path: Path) -> None:
    """First the classes that the model has, then these and a new one: all steps on the emulated board."""
    compiled = training.compile(
        network_ending_in(dense), scheme=training.named_scheme("last:1"), spare_classes=1
    )
    compiled.export(tmp_path / "c")
    random = np.random.default_rng(1)
    first, second = random.integers(0, CLASSES, 60), random.integers(0, CLASSES + 1, 80)
    old, new = np.arange(40) % CLASSES, np.full(20, CLASSES)
    tests = np.concatenate([old, new])
    labels = np.concatenate([first, tests, second, tests])
    is_tested = np.repeat([False, True, False, True], [len(first), len(tests), len(second), len(tests)])
    result = train(tmp_path / "c", "cortex-m4", [examples(labels, 2)], labels, 0.01, is_tested=is_tested)
    before, after = result.outputs[0].reshape(-1)[is_tested].reshape(2, -1)
    assert before[: len(old)].mean() >= 0.9
    assert before[len(old) :].mean() == 0
    assert after[: len(old)].mean() >= 0.9
    assert after[len(old) :].mean() >= 0.9


def test_the_simulation_has_them_as_well(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the simulation needs the extra tinycc[torch]")
    from tinycc.training.simulation import Data, IntegerNetwork, Run, evaluate, simulate

    module = MODULES["bias and scales"]
    network = IntegerNetwork.load(module)
    scheme = training.named_scheme("last:2")(network.layers)
    labels = np.arange(20) % (CLASSES + SPARE)
    images = np.random.default_rng(3).integers(-128, 128, (len(labels), 8, 8, 3)).astype(np.int8)
    compiled = training.compile(module, scheme=scheme, gradients="integer", spare_classes=SPARE)
    compiled.export(tmp_path / "c")
    result = train(tmp_path / "c", "host", [images], labels, 0.003)
    data, run = Data([images], labels), Run(rate=0.003, scheme=scheme)
    [simulated] = simulate(
        network, data, data, runs=[run], shuffled=False, gradients="integer", spare_classes=SPARE
    )
    assert result.states is not None and len(simulated.states["dense_0_bias"]) == CLASSES + SPARE
    for name, state in simulated.states.items():
        np.testing.assert_array_equal(result.states[name].reshape(-1), state.reshape(-1), err_msg=name)
    after = evaluate(network, data, simulated.states, spare_classes=SPARE)
    assert after == simulated.accuracies[-1]


def test_what_cannot_have_them() -> None:
    def compiled(module: tvm.IRModule, scheme: Scheme | None = None, count: int = 1) -> None:
        training.compile(module, scheme=scheme or training.full, spare_classes=count)

    def pictures(network: Network, x: relax.Expr) -> relax.Expr:
        return network.convolution(relax.op.concat([x, x], 1), CLASSES, 16)

    cases = {
        r"the scheme freezes the weights of dense_0": (
            network_ending_in(dense),
            Scheme({"dense_0": LayerScheme()}),
            1,
        ),
        r"-1 spare classes: give 0 or more": (network_ending_in(dense), None, -1),
        r"conv2d_1: its outputs .* are no classes": (network_ending_in(pictures), None, 1),
        r"the first result of the model is not that of a layer": (network_ending_in(lambda _, x: x), None, 1),
    }
    for message, (module, scheme, count) in cases.items():
        with pytest.raises(TrainingError, match=message):
            compiled(module, scheme, count)
