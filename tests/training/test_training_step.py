"""Training steps of the generated C: the weights that the simulation gets, on every core the same."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.tools.kernel_runner import module_of
from tests.tools.networks import SCALE, ZERO_POINT, Network, shared
from tinycc import training
from tinycc.ops.narrow import NARROW_RANGE
from tinycc.run import RunResult, run, train
from tinycc.training import LayerScheme, Scheme, UpdateRule, last_layers
from tinycc.training.channels import channel_axis, trained_channels
from tinycc.training.fit import fit

torch = pytest.importorskip("torch", reason="the simulation needs torch")

from tinycc.training.simulation import Data, IntegerNetwork, Run, simulate  # noqa: E402

STEPS, RATE = 20, 1e-3
SPARSE = Scheme(
    {
        "conv2d_1": LayerScheme(bias=True, weights=0.5),
        "depthwise_conv2d_0": LayerScheme(bias=False, weights=0.5),
        "conv2d_2": LayerScheme(bias=True, weights=0.0),
        "dense_0": LayerScheme(bias=True, weights=0.75),
    }
)


def residual_network() -> tvm.IRModule:
    """A stride, a residual block with a depthwise convolution, a mean and a dense layer; zero points of 3."""
    network = Network()

    def body(x: relax.Expr) -> relax.Expr:
        first = network.convolution(x, 8, 3, kernel=3, stride=2)
        deep = network.convolution(network.depthwise(first, 8), 8, 8)
        wide = network.convolution(network.add(deep, first), 12, 8)
        return network.dense(network.mean(wide), 12, 5)

    return shared(module_of([((1, 8, 8, 3), "int8")], body))


@pytest.fixture(scope="module")
def examples() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(-128, 128, (STEPS, 8, 8, 3)).astype(np.int8), random.integers(0, 5, STEPS)


def compiled(folder: Path, scheme: Scheme | None, target: str) -> Path:
    chosen = training.full if scheme is None else scheme
    training.compile(residual_network(), scheme=chosen, target=target).export(folder)
    return folder


def trained(folder: Path, on: str, examples: tuple[np.ndarray, np.ndarray], **options: bool) -> RunResult:
    return train(folder, on, [examples[0]], examples[1], RATE, **options)


def of_trained(state: np.ndarray, name: str, scheme: Scheme | None) -> np.ndarray:
    """Of weights as the simulation has them those that the device keeps as a state."""
    layer = IntegerNetwork.load(residual_network()).layers[name.rpartition("_")[0]]
    if scheme is None or name.endswith("bias") or scheme.layers[layer.name].weights == 1:
        return state
    channels = trained_channels(layer, scheme.layers[layer.name].weights)
    return np.take(state, channels, channel_axis(layer))


@pytest.mark.parametrize("scheme", [None, SPARSE], ids=["full", "sparse"])
def test_the_simulation_gets_the_same_weights(
    tmp_path: Path, examples: tuple[np.ndarray, np.ndarray], scheme: Scheme | None
) -> None:
    result = trained(compiled(tmp_path / "c", scheme, "cortex-m4"), "host", examples, sanitize=True)
    [simulated] = simulate(
        residual_network(),
        Data([examples[0]], examples[1]),
        runs=[Run(rate=RATE, scheme=scheme)],
        shuffled=False,
    )
    assert result.warnings == ""
    assert result.outputs[0].mean() == pytest.approx(simulated.losses[0], rel=1e-5)
    assert result.states is not None
    counts = {"learning_rate", "training_step", "skipped_updates"}
    assert simulated.states.keys() == result.states.keys() - counts
    for name, state in simulated.states.items():
        assert (state != 0).any()
        np.testing.assert_array_equal(result.states[name], of_trained(state, name, scheme))
    assert result.states["training_step"] == STEPS


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m7", "cortex-m0", "rv32imc"])
def test_every_core_gets_the_same_weights(
    tmp_path: Path, examples: tuple[np.ndarray, np.ndarray], core: str
) -> None:
    folder = compiled(tmp_path / "c", SPARSE, core)
    here, there = trained(folder, "host", examples), trained(folder, core, examples)
    np.testing.assert_array_equal(there.outputs[0], here.outputs[0])
    assert here.states is not None and there.states is not None
    for name, state in here.states.items():
        np.testing.assert_array_equal(there.states[name], state)


def test_an_inference_reads_what_was_trained(tmp_path: Path, examples: tuple[np.ndarray, np.ndarray]) -> None:
    """Examples that are tested between steps are answered better and better by a network that learns them."""
    folder = compiled(tmp_path / "c", None, "cortex-m4")
    inputs, labels = examples[0][:4], np.arange(4)
    options = {"epochs": 30, "rate": RATE, "test": ([inputs], labels)}
    curve, often = (
        fit(folder, [inputs], labels, **options),
        fit(folder, [inputs], labels, **options, test_every=3),
    )
    assert curve.losses[-1] < 0.5 * curve.losses[0]
    assert curve.accuracies[-1] == 1.0
    assert curve.tested_after == list(range(0, 121, 4))
    assert often.tested_after == list(range(0, 121, 3))
    assert often.accuracies[::4] == curve.accuracies[::3]
    assert often.losses == curve.losses


def test_nearest_rounding_loses_small_changes(
    tmp_path: Path, examples: tuple[np.ndarray, np.ndarray]
) -> None:
    initial = IntegerNetwork.load(residual_network()).layers["conv2d_0"].weights
    for rounding, is_lost in (("nearest", True), ("stochastic", False)):
        folder = tmp_path / rounding
        training.compile(residual_network(), rule=UpdateRule(rounding=rounding)).export(folder)
        result = train(folder, "host", [examples[0]], examples[1], 1e-6)
        assert result.states is not None
        assert (result.states["conv2d_0_weights"] == initial).all() == is_lost


def test_a_streaming_model_remembers_as_it_learns(tmp_path: Path) -> None:
    """At a rate of 0 each loss is that of the inference at its place of the stream."""
    network, window = Network(), 4

    def body(x: relax.Expr, rows: relax.Expr) -> list[relax.Expr]:
        joined = relax.op.concat([rows, x], 1)
        kept = relax.op.strided_slice(joined, [1], [1], [window])
        return [network.dense(network.mean(network.convolution(joined, 6, 3)), 6, 4), kept]

    stream = np.random.default_rng(0).integers(-128, 128, (6, 1, 1, 2, 3)).astype(np.int8)
    labels = np.arange(len(stream)) % 4
    states = [((1, window - 1, 2, 3), "int8", 0)]
    module = shared(module_of([((1, 1, 2, 3), "int8")], body, states))
    training.compile(module, scheme=partial(last_layers, count=1)).export(tmp_path / "c")
    result = train(tmp_path / "c", "host", [stream], labels, 0.0, sanitize=True)
    [answers] = run(tmp_path / "c", "host", [stream], keep_state=True).outputs
    real = (answers.reshape(len(stream), -1) - ZERO_POINT) * SCALE
    losses = np.log(np.exp(real).sum(1)) - real[np.arange(len(stream)), labels]
    np.testing.assert_allclose(result.outputs[0].reshape(-1), losses, rtol=1e-5)
    assert result.states is not None
    np.testing.assert_array_equal(result.states["state0"].reshape(-1), stream[1 - window :].reshape(-1))


def test_frozen_weights_of_four_bits_lie_two_in_a_byte(tmp_path: Path) -> None:
    network = Network(weight_range=NARROW_RANGE)

    def body(x: relax.Expr) -> relax.Expr:
        return network.dense(network.mean(network.convolution(x, 64, 32)), 64, 4)

    module = shared(module_of([((1, 4, 4, 32), "int8")], body))
    compiled = training.compile(module, scheme=partial(last_layers, count=1))
    steps = [step for plan in compiled.program.entries.values() for step in plan.steps]
    assert [step.operator.variant for step in steps if step.operator.kind == "conv2d"] == ["dsp_narrow"] * 2
    compiled.export(tmp_path / "c")
    images = np.random.default_rng(0).integers(-128, 128, (5, 4, 4, 32)).astype(np.int8)
    result = train(tmp_path / "c", "host", [images], np.arange(5) % 4, RATE, sanitize=True)
    runs = [Run(rate=RATE, scheme=last_layers(IntegerNetwork.load(module).layers, 1))]
    [simulated] = simulate(module, Data([images], np.arange(5) % 4), runs=runs, shuffled=False)
    assert result.states is not None
    for name, state in simulated.states.items():
        np.testing.assert_array_equal(result.states[name], state)


def test_frozen_layers_have_the_same_wide_weights_in_both_entries(
    tmp_path: Path, examples: tuple[np.ndarray, np.ndarray]
) -> None:
    """Flash that is left is spent once, and no weight is learned otherwise."""
    scheme = partial(last_layers, count=1)
    models = [
        training.compile(residual_network(), scheme=scheme, target="cortex-m4", flash=flash)
        for flash in (None, "1M")
    ]
    entries = models[1].report["operators"], models[1].report["training"]["operators"]
    invoked, learned = (
        [operator["variant"] for operator in entry if operator["kind"] == "conv2d"] for entry in entries
    )
    assert "dsp_wide" in invoked and invoked == learned
    sizes = [sum(operator["weight_bytes"] for operator in model.report["operators"]) for model in models]
    assert sizes[1] > sizes[0]
    assert models[1].report["weight_bytes"] - models[0].report["weight_bytes"] == sizes[1] - sizes[0]
    results = []
    for index, model in enumerate(models):
        model.export(tmp_path / str(index))
        results.append(trained(tmp_path / str(index), "host", examples))
    narrow, wide = (result.states for result in results)
    assert narrow is not None and wide is not None
    for name, state in narrow.items():
        np.testing.assert_array_equal(wide[name], state, err_msg=name)
