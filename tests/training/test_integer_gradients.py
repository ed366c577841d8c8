"""Gradients in integers: worked examples of their arithmetic, and runs that have exponents of their own."""

import math
from fractions import Fraction

import numpy as np
import pytest

pytest.importorskip("torch", reason="the simulation needs the extra tinycc[torch]")

import torch

from tests.tools.training_graphs import training_graph
from tinycc.errors import TrainingError
from tinycc.training.scheme import last_layers
from tinycc.training.simulation import (
    Data,
    GradientDescent,
    IntegerNetwork,
    Run,
    integer_gradients,
    simulate,
)
from tinycc.training.simulation.scaled import Scaled
from tinycc.training.simulation.straight_through import Part
from tinycc.training.simulation.whole_changes import whole_changes


@pytest.fixture(scope="module")
def network() -> IntegerNetwork:
    return IntegerNetwork.load(training_graph(1))


@pytest.fixture(scope="module")
def data() -> Data:
    random = np.random.default_rng(0)
    return Data([random.integers(-128, 128, (12, 8, 8, 3), dtype=np.int8)], random.integers(0, 4, 12))


def scaled(values: list[list[int]], exponents: list[int]) -> Scaled:
    return Scaled(torch.tensor(values), torch.tensor(exponents))


def test_real_numbers_have_30_bits_and_what_is_not_finite_is_nothing() -> None:
    real = torch.tensor([[0.75, -3.0, 2.0**-29], [1.0, math.inf, 0.5], [1e-42, 0.0, -1e-44]])
    found = Scaled.of(real)
    assert found.values[0].tolist() == [3 << 26, -3 << 28, 1]  # 0.5 is rounded up
    assert found.exponent[0] == -28
    assert not found.values[1].any()
    assert torch.equal(found.real()[2].float(), real[2])


def test_rescaling_rounds_to_the_bits_asked_for() -> None:
    """Shifted to 15 bits, times a factor of 15 bits in units of the greatest; each is rounded once."""
    values = scaled([[2**20, -(2**19) - 2**4, 7], [5, -3, 1]], [0, 40])
    inside = torch.tensor([[True, True, False], [True, True, True]])
    part = Part(torch.zeros(2, 3), np.float32([3.0, 1.5, 0.25]), bits=13)
    found = values.rescaled(part, inside)
    # 2^20 has 21 bits: six are left out. Factors are 24576, 12288 and 2048 units of 4 * 2^-15.
    assert found.values[0].tolist() == [(16384 * 24576) >> 17, -((8192 * 12288) >> 17), 0]
    assert found.exponent[0] == 6 + 2 + 2
    # The longest has three bits: there are twelve more.
    wanted = [(5 << 12) * 24576, (-3 << 12) * 12288, (1 << 12) * 2048]
    assert found.values[1].tolist() == [math.floor(Fraction(item, 2**17) + Fraction(1, 2)) for item in wanted]
    assert found.exponent[1] == 40 - 12 + 2 + 2


def test_sums_have_the_coarser_exponent_and_a_bit_more() -> None:
    total = scaled([[100, -3], [2**30, 1]], [0, 0]) + scaled([[64, 65], [2**30, 1]], [-4, -60])
    assert total.exponent.tolist() == [1, 1]
    assert total.values[0].tolist() == [50 + 2, -1 + 2]
    assert total.values[1].tolist() == [2**29 + 1, 1]  # shifts are held to 31


def test_changes_are_those_of_exact_arithmetic() -> None:
    random = np.random.default_rng(0)
    sums = random.integers(-(2**38), 2**38, 300)
    speeds = np.ldexp(random.normal(size=300), random.integers(-70, 70, 300)).astype(np.float32)
    exponents = random.integers(-90, 30, 300)
    gradient = Scaled(torch.tensor(sums)[:, None, None], torch.tensor(exponents)[:, None])
    found = whole_changes(gradient, torch.tensor(speeds)[:, None], 512 << 24)[:, 0, 0]
    limit = 512 << 24
    for change, total, speed, exponent in zip(
        found.tolist(), sums.tolist(), speeds.tolist(), exponents.tolist(), strict=True
    ):
        exact = math.floor(Fraction(speed) * total * Fraction(2) ** (exponent + 24))
        assert change == min(max(exact, -limit), limit)


@pytest.mark.parametrize("speed", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_changes_nothing(speed: float) -> None:
    assert not whole_changes(scaled([[5]], [0]).reshape(1, 1, 1), torch.tensor([[speed]]), 512 << 24).any()


def test_each_case_of_each_run_is_gone_through_alone(network: IntegerNetwork) -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(-128, 128, (2, 3, 1, 8, 8, 3), generator=generator)
    targets = torch.randint(0, 4, (2, 3), generator=generator)
    parameters = network.parameters()
    parameters |= {
        name: torch.cat([value, value.roll(1, 1)]) for name, value in parameters.items() if "dense" in name
    }
    [image] = network.graph.parameters
    _, together = integer_gradients(network, parameters, {image: pixels}, targets)
    for run, case in np.ndindex(2, 3):
        own = {name: value[run % len(value)][None] for name, value in parameters.items()}
        place = slice(run, run + 1), slice(case, case + 1)
        _, alone = integer_gradients(network, own, {image: pixels[place]}, targets[place])
        for name, gradient in alone.items():
            assert torch.equal(together[name].values[run, case], gradient.values[0, 0])
            assert together[name].exponent[run, case] == gradient.exponent[0, 0]


def test_runs_do_not_know_of_each_other(network: IntegerNetwork, data: Data) -> None:
    runs = [Run(0, 0.003), Run(1, 0.01), Run(0, 0.003, last_layers(network.layers, 2))]
    together = simulate(network, data, runs=runs, batch=4, gradients="integer")
    for run, result in zip(runs, together, strict=True):
        (alone,) = simulate(network, data, runs=[run], batch=4, gradients="integer")
        assert result.states.keys() == alone.states.keys()
        for name, state in alone.states.items():
            assert np.array_equal(result.states[name], state), name


@pytest.mark.parametrize(
    "rule", [GradientDescent(), GradientDescent("nearest"), GradientDescent("master", momentum=0.5)]
)
def test_it_learns_as_by_real_numbers(network: IntegerNetwork, data: Data, rule: GradientDescent) -> None:
    losses = [
        simulate(network, data, runs=[Run(0, 0.001)], epochs=5, batch=4, rule=rule, gradients=kind)[0].losses
        for kind in ("float", "integer")
    ]
    assert losses[1][-1] < 0.9 * losses[1][0]
    assert losses[1] == pytest.approx(losses[0], rel=0.02)


def test_squared_error(network: IntegerNetwork, data: Data) -> None:
    numbers = Data(data.inputs, np.eye(4)[data.targets].reshape(-1, 1, 4))
    scheme = last_layers(network.layers, 3)
    (result,) = simulate(
        network, numbers, runs=[Run(0, 0.003, scheme)], epochs=6, batch=4, loss="squared_error",
        gradients="integer",
    )  # fmt: skip
    assert result.losses[-1] < result.losses[0] / 2


def test_others_are_refused(network: IntegerNetwork, data: Data) -> None:
    with pytest.raises(TrainingError, match="no gradients are called 'double': there are float, integer"):
        simulate(network, data, gradients="double")  # type: ignore[arg-type]
