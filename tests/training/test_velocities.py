"""Momentum and mini-batches on the device: what the simulation gets, whatever is skipped in between."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest

pytest.importorskip("torch", reason="the simulation needs the extra tinycc[torch]")

from tests.tools.training_library import Device, Flash
from tests.training.test_integer_steps import small_network
from tinycc import training
from tinycc.errors import TrainingError
from tinycc.run import RunResult, train
from tinycc.training import LayerScheme, Scheme, UpdateRule
from tinycc.training.channels import trained_elements
from tinycc.training.gradients import GradientType
from tinycc.training.planned_step import forward_of
from tinycc.training.scheme_search.instruction_model import update_instructions
from tinycc.training.scheme_search.search import StepPlanner
from tinycc.training.simulation import Data, GradientDescent, IntegerNetwork, Run, simulate

STEPS, RATE, BATCH, MOMENTUM, CLASSES = 24, 3e-3, 4, 0.9, 3
# Layers whose weights train wholly and in part, and biases alone.
SCHEME = Scheme(
    {
        "conv2d_0": LayerScheme(bias=True, weights=1.0),
        "depthwise_conv2d_0": LayerScheme(bias=False, weights=0.5),
        "conv2d_1": LayerScheme(bias=True, weights=0.5),
        "dense_0": LayerScheme(bias=True, weights=1.0),
    }
)
RULE = UpdateRule(momentum=MOMENTUM, batch=BATCH)


@pytest.fixture(scope="module")
def examples() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(-128, 128, (STEPS, 16, 16, 1)).astype(np.int8), random.integers(0, CLASSES, STEPS)


def exported(folder: Path, rule: UpdateRule, gradients: GradientType = "integer") -> Path:
    compiled = training.compile(
        small_network(), scheme=SCHEME, gradients=gradients, rate=RATE, rule=rule, target="cortex-m0"
    )
    compiled.export(folder)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[GradientType, Path]:
    place = tmp_path_factory.mktemp("c")
    return {kind: exported(place / kind, RULE, kind) for kind in get_args(GradientType)}


@pytest.fixture(scope="module")
def folder(folders: dict[GradientType, Path]) -> Path:
    return folders["integer"]


@pytest.fixture(scope="module")
def on_host(folder: Path, examples: tuple[np.ndarray, np.ndarray]) -> RunResult:
    result = train(folder, "host", [examples[0]], examples[1], RATE, sanitize=True)
    assert result.warnings == ""
    return result


def simulated(
    examples: tuple[np.ndarray, np.ndarray], rule: UpdateRule, gradients: GradientType, rate: float = RATE
) -> dict[str, np.ndarray]:
    """What trains after the steps, the elements that do."""
    network = IntegerNetwork.load(small_network())
    data, run = Data([examples[0]], examples[1]), Run(rate=rate, scheme=SCHEME)
    [result] = simulate(
        network, data, runs=[run], batch=rule.batch, shuffled=False, gradients=gradients,
        rule=GradientDescent(momentum=rule.momentum),
    )  # fmt: skip
    shares = {f"{name}_weights": part.weights for name, part in SCHEME.layers.items()}
    return {
        name: state[trained_elements(network.layers[name.removesuffix("_weights")], shares[name]) >= 0]
        if name in shares
        else state
        for name, state in result.states.items()
    }


@pytest.mark.parametrize(
    ("momentum", "batch"), [(MOMENTUM, BATCH), (MOMENTUM, 1), (0.0, BATCH)], ids=["both", "momentum", "batch"]
)
def test_in_integers_the_simulation_has_the_same_weights(
    tmp_path: Path, examples: tuple[np.ndarray, np.ndarray], on_host: RunResult, momentum: float, batch: int
) -> None:
    rule, result = UpdateRule(momentum=momentum, batch=batch), on_host
    if rule != RULE:
        result = train(exported(tmp_path / "c", rule), "host", [examples[0]], examples[1], RATE)
    expected, shipped = simulated(examples, rule, "integer"), simulated(examples, rule, "integer", 0.0)
    assert result.states is not None
    for name, state in expected.items():
        found = result.states[name].reshape(-1)
        np.testing.assert_array_equal(found, state.reshape(-1), err_msg=name)
        assert (found != shipped[name].reshape(-1)).any(), name


def test_real_numbers_are_those_simulated_but_for_the_order_of_sums(
    folders: dict[GradientType, Path], examples: tuple[np.ndarray, np.ndarray]
) -> None:
    result = train(folders["float"], "host", [examples[0]], examples[1], RATE, sanitize=True)
    assert result.warnings == "" and result.states is not None
    for name, state in simulated(examples, RULE, "float").items():
        differing = result.states[name].reshape(-1) != state.reshape(-1)
        assert differing.mean() <= 0.01, name


@pytest.mark.emulator
def test_an_emulated_core_has_the_same_states(
    folder: Path, examples: tuple[np.ndarray, np.ndarray], on_host: RunResult
) -> None:
    result = train(folder, "cortex-m0", [examples[0]], examples[1], RATE)
    assert result.states is not None and on_host.states is not None
    for name, state in on_host.states.items():
        np.testing.assert_array_equal(result.states[name], state, err_msg=name)


def test_weights_change_in_the_last_step_of_a_mini_batch(
    folder: Path, examples: tuple[np.ndarray, np.ndarray]
) -> None:
    device, changed = Device(folder), {False: 0, True: 0}
    for number, (image, label) in enumerate(zip(examples[0], examples[1].tolist(), strict=True)):
        before = device.state("dense_0_weights"), device.state("dense_0_weights_velocity")
        device.train(image, label)
        assert device.state("dense_0_weights_velocity") != before[1]
        changed[number % BATCH == BATCH - 1] += device.state("dense_0_weights") != before[0]
    assert changed == {False: 0, True: STEPS // BATCH}


@pytest.mark.parametrize("gradients", ["float", "integer"])
def test_a_step_that_is_skipped_is_no_example_of_the_mini_batch(
    folders: dict[GradientType, Path], examples: tuple[np.ndarray, np.ndarray], gradients: GradientType
) -> None:
    """A label that there is not, or a rate of 0, changes nothing but counts, at any place in one."""
    whole, broken = Device(folders[gradients]), Device(folders[gradients])
    for number, (image, label) in enumerate(zip(examples[0][:8], examples[1].tolist(), strict=False)):
        whole.train(image, label)
        before = broken.trained
        broken.train(image, CLASSES)
        broken.set_learning_rate(0.0)
        broken.train(image, label)
        broken.set_learning_rate(RATE)
        assert broken.trained == before
        broken.train(image, label)
        assert broken.trained == whole.trained, number
    assert (whole.skipped, broken.skipped) == (0, 8)


def test_a_mini_batch_goes_on_after_a_restart(folder: Path, examples: tuple[np.ndarray, np.ndarray]) -> None:
    device, started, flash = Device(folder), Device(folder), Flash()
    pairs = list(zip(examples[0], examples[1].tolist(), strict=True))
    for image, label in pairs[:6]:
        device.train(image, label)
    assert device.save(flash) == 0
    assert started.restore(flash) == 0
    for image, label in pairs[6:]:
        assert started.train(image, label) == device.train(image, label)
    assert started.states == device.states


def test_velocities_are_memory_that_is_told_and_planned() -> None:
    plain, with_velocities = (
        training.compile(small_network(), rule=rule).report for rule in (UpdateRule(), RULE)
    )
    sizes = {state["name"]: state["bytes"] for state in with_velocities["training"]["states"]}
    added = sum(size for name, size in sizes.items() if name.endswith("_velocity"))
    elements = {
        state["name"]: int(np.prod(state["shape"]))
        for state in plain["training"]["states"]
        if state["name"].endswith(("_weights", "_bias"))
    }
    assert added == 4 * sum(elements.values())
    assert with_velocities["arena_bytes"] > plain["arena_bytes"]
    planner = StepPlanner(forward_of(small_network()), rule=RULE)
    assert planner.part_bytes("conv2d_0", 1.0).weights == 5 * elements["conv2d_0_weights"]


def test_instructions_of_velocities_are_predicted_with_those_of_weights() -> None:
    forward = forward_of(small_network())
    plain, with_velocities = (
        update_instructions(StepPlanner(forward, rule=rule).outline(SCHEME)) for rule in (UpdateRule(), RULE)
    )
    assert set(plain) == set(with_velocities) == set(SCHEME.layers)
    assert all(with_velocities.values())


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"momentum": 1.0}, "a momentum cannot be 1.0: give 0 or more, and less than 1"),
        ({"momentum": float("nan")}, "a momentum cannot be nan"),
        ({"batch": 0}, "a batch of 0 examples cannot be: give 1 or more"),
    ],
)
def test_rules_that_cannot_be(rule: dict[str, float], message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        UpdateRule(**rule)  # type: ignore[arg-type]
