"""What an architecture costs is what the compiler reports for it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinycc
from tinycc.errors import BudgetError, TinyccError
from tinycc.search.architecture import Architecture, Convolution, Dense, Depthwise, Mean, Residual
from tinycc.search.canonical import canonical_module
from tinycc.search.cost import Cost, CostModel, Device, cost
from tinycc.search.space import Space, Stage
from tinycc.search.spaces import image_space, separable_image_space, spectrogram_space

IMAGES = image_space((16, 20, 24), 3, 10)
SEPARABLE = separable_image_space((16, 20, 24), 3, 10)
SPECTROGRAMS = spectrogram_space(((24, 10), (30, 12)), 4)


def reported(architecture: Architecture, seed: int, **options: Any) -> Cost:
    """Of the network with canonical weights, as it is compiled."""
    compiled = tinycc.compile(canonical_module(architecture, seed), **options)
    report = compiled.report
    [chosen] = [item for item in report["schedules"] if item["is_chosen"]]
    return Cost(
        report["arena_bytes"], report["weight_bytes"], chosen["macs"], chosen["predicted_instructions"]
    )


@settings(max_examples=6)
@given(
    st.integers(0, 9999),
    st.sampled_from([IMAGES, SEPARABLE, SPECTROGRAMS]),
    st.sampled_from(["cortex-m0", "cortex-m4", "cortex-m55"]),
    st.sampled_from(["tensor", "rows"]),
    st.sampled_from(["latency", "memory"]),
)
def test_a_network_costs_what_is_reported(
    seed: int, space: Space, target: str, input_mode: str, optimize_for: str
) -> None:
    architecture = space.architecture(space.sampled(np.random.default_rng(seed)))
    options: dict[str, Any] = {"target": target, "input_mode": input_mode, "optimize_for": optimize_for}
    assert cost(architecture, **options) == reported(architecture, seed, **options)


def test_no_channel_of_canonical_weights_is_dead() -> None:
    """Not even where a channel has three weights, of which all might be negative behind ReLU6."""
    layers = (Convolution((3, 3), 64), Depthwise((1, 3)), Convolution((1, 1), 64), Mean(), Dense(4))
    architecture = Architecture((8, 8, 1), layers)
    for seed in range(3):
        assert cost(architecture) == reported(architecture, seed)


def test_memory_that_is_given_is_used_as_the_compiler_uses_it() -> None:
    architecture = IMAGES.architecture(IMAGES.sampled(np.random.default_rng(1)))
    whole = cost(architecture).sram_bytes
    least = cost(architecture, optimize_for="memory").sram_bytes
    middle = (whole + least) // 2
    assert least < middle < whole
    given = CostModel(Device(sram=middle))
    found = given.cost(architecture)
    assert found == given.cost_within(architecture) == reported(architecture, 0, sram=middle)
    assert CostModel(Device(sram=least - 1, max_extra_macs="0%")).cost_within(architecture) is None
    with pytest.raises(BudgetError):
        reported(architecture, 0, sram=least - 1, max_extra_macs="0%")


def test_what_is_remembered_of_other_networks_changes_nothing() -> None:
    random = np.random.default_rng(0)
    networks = [IMAGES.architecture(IMAGES.sampled(random)) for _ in range(4)]
    device = Device(sram="6K", input_mode="rows")
    model = CostModel(device)
    together = [model.cost(network) for network in networks]
    assert together == [CostModel(device).cost(network) for network in networks]


def test_blocks_that_a_depth_leaves_out_make_no_difference() -> None:
    stage = Stage(8, (1, 1), (1, 2), ((3, 3), (5, 5)), (2,))
    space = Space(((8, 8),), 3, 8, (3, 3), (2, 2), (stage,), 0, 4)
    names = [gene.name for gene in space.genes]
    shallow = tuple(0 for _ in names)
    other = tuple(int(name == "stage 0 block 1 kernel") for name in names)
    assert space.architecture(shallow) == space.architecture(other)
    deep = tuple(int(name == "stage 0 depth") for name in names)
    assert len(space.architecture(deep).layers) == len(space.architecture(shallow).layers) + 4


def test_the_largest_network_has_the_most_and_the_smallest_the_least() -> None:
    largest, smallest = (
        cost(IMAGES.architecture(genome)) for genome in (IMAGES.largest(), IMAGES.smallest())
    )
    assert largest.macs > smallest.macs and largest.flash_bytes > smallest.flash_bytes


def test_constants_take_at_least_what_weights_do() -> None:
    random = np.random.default_rng(0)
    for space in (IMAGES, SPECTROGRAMS):
        architecture = space.architecture(space.sampled(random))
        weights = architecture.weight_bytes
        assert weights < cost(architecture, schedule="whole").flash_bytes
        head = Architecture(architecture.input_shape, architecture.layers[:-1])
        assert weights - head.weight_bytes == architecture.shapes[-2][0] * space.outputs


def test_layers_that_do_not_fit_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot read a tensor of shape"):
        _ = Architecture((8, 8, 3), (Dense(4),)).shapes
    layers = (Convolution((3, 3), 4), Residual(-1), Mean())
    with pytest.raises(ValueError, match="adds tensors of shapes"):
        _ = Architecture((8, 8, 3), layers).shapes


def test_a_device_that_there_is_not_is_refused() -> None:
    with pytest.raises(TinyccError, match="cortex-m9"):
        CostModel(Device("cortex-m9"))
