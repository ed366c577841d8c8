"""What an interpreter takes of SRAM is told as TFLite Micro itself tells it."""

import numpy as np
import pytest

from benchmarks.peer_figures import PEERS
from tests.tools.tflm import needs_tflm
from tests.tools.tflm_arena import arena_bytes
from tinycc.search.architecture import Architecture, Convolution, Dense, Depthwise, Layer, Mean, Residual
from tinycc.search.constraints import Constraints
from tinycc.search.cost import CostModel, Device
from tinycc.search.interpreter_memory import (
    Buffer,
    Records,
    interpreter_arena,
    persistent_bytes,
    planned_bytes,
)
from tinycc.search.memory_models import cost_model
from tinycc.search.space import Space
from tinycc.search.spaces import image_space, spectrogram_space

IMAGES = image_space((16, 24), 3, 10)
# With pointers of eight bytes, as the wheel for Linux has them; its kernels know compressed weights, too.
HOST = Records(
    fixed=520, edge=96, tensor=24, node=64, convolution=104, depthwise=108, add=72, mean=64, dense=120
)


@needs_tflm
@pytest.mark.parametrize("space", [IMAGES, spectrogram_space(((49, 10), (24, 10)), 12)])
def test_activations_are_equal_and_records_near(space: Space) -> None:
    random = np.random.default_rng(1)
    for _ in range(10):
        architecture = space.architecture(space.sampled(random))
        activations, persistent = arena_bytes(architecture)
        assert interpreter_arena(architecture, HOST) - persistent_bytes(architecture, HOST) == activations
        assert persistent_bytes(architecture, HOST) == pytest.approx(persistent, rel=0.005)


def test_the_arena_on_a_cortex_m4_is_what_was_measured() -> None:
    """Of MLPerf's MobileNet, whose mean is a pooling, a reshape and a softmax more here."""
    widths = ((16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), *((128, 1),) * 5, (256, 2), (256, 1))
    layers: list[Layer] = [Convolution((3, 3), 8, (2, 2))]
    for channels, stride in widths:
        layers += [Depthwise((3, 3), (stride, stride)), Convolution((1, 1), channels)]
    layers += [Mean(), Dense(2)]
    [measured] = [item.tflm for item in PEERS if item.model == "mlperf_vww_mbv1_int8"]
    network = Architecture((96, 96, 3), tuple(layers))
    assert interpreter_arena(network) == pytest.approx(measured.arena_bytes, rel=0.005)
    assert interpreter_arena(network) - persistent_bytes(network) == measured.activation_bytes


def test_buffers_share_memory_that_they_need_at_different_times() -> None:
    assert planned_bytes([Buffer(16, 0, 0), Buffer(16, 1, 1)]) == 16
    assert planned_bytes([Buffer(16, 0, 1), Buffer(32, 1, 2), Buffer(16, 2, 3)]) == 48


def test_buffers_go_into_gaps() -> None:
    """That of 48 lies behind that of 64, whose place the two later ones take."""
    assert planned_bytes([Buffer(64, 0, 0), Buffer(48, 0, 1), Buffer(32, 1, 1), Buffer(16, 1, 1)]) == 64 + 48


def test_what_is_added_later_is_kept_until_then() -> None:
    layers = (Convolution((1, 1), 8), Convolution((1, 1), 8), Residual(0))
    network = Architecture((8, 8, 8), layers)
    assert interpreter_arena(network) - persistent_bytes(network) == 3 * 8 * 8 * 8


def test_a_search_is_told_whose_memory_counts() -> None:
    architecture = IMAGES.architecture(IMAGES.sampled(np.random.default_rng(0)))
    device = Device(optimize_for="memory")
    compiler, whole, interpreter = (
        cost_model(device, memory).cost(architecture)
        for memory in ("compiler", "whole tensors", "interpreter")
    )
    assert compiler.sram_bytes < whole.sram_bytes < interpreter.sram_bytes
    assert compiler == CostModel(device).cost(architecture)
    assert whole.flash_bytes == interpreter.flash_bytes and whole.instructions == interpreter.instructions
    assert interpreter.sram_bytes == interpreter_arena(architecture)


def test_limits_are_on_the_memory_that_counts() -> None:
    architecture = IMAGES.architecture(IMAGES.sampled(np.random.default_rng(0)))
    arena = interpreter_arena(architecture)
    for sram, is_allowed in ((arena, True), (arena - 1, False)):
        limits = Constraints(Device(sram=sram, input_mode="rows"), memory="interpreter")
        for judge in (limits.judge(), limits.thrifty_judge()):
            assert (judge.allowed(architecture) is not None) == is_allowed
