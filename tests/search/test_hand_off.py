"""What is handed off keeps within the constraints as compiled, and says what is not as predicted."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.search.digits import NETWORK, digits, quantized_network, trained_network
from tinycc.errors import BudgetError, OutputError
from tinycc.search.augmentation import shifted
from tinycc.search.constraints import Constraints
from tinycc.search.cost import Device, cost
from tinycc.search.data import Data
from tinycc.search.hand_off import compiled_within, handed_off
from tinycc.search.network import Network
from tinycc.search.prediction import Prediction
from tinycc.search.quantized_training import quantized
from tinycc.search.retraining import TrainingOptions

TRAIN, TEST, NORMALIZATION = digits()
ONCE = TrainingOptions(epochs=1, batch=64, rate=1e-3)
PREDICTED = cost(NETWORK)


def costs_with(change: Callable[[Network], None]) -> Prediction:
    """Of the trained network with some weights that are not as training leaves them."""
    network = deepcopy(trained_network())
    with torch.no_grad():
        change(network)
    program = quantized(network, TRAIN.part(np.arange(128)), NORMALIZATION, ONCE)
    return compiled_within(NETWORK, program, Constraints())[1]


def silent(network: Network) -> None:
    """Eight channels of the second convolution are 0 behind their clamps."""
    norm = network.get_submodule("layers.1.1")
    norm.weight[:8] = 0
    norm.bias[:8] = -1


def loud(network: Network) -> None:
    """The sums of the second convolution are too large for a kernel that is sparing with bits."""
    network.get_parameter("layers.1.1.weight").mul_(1e4)


def test_digits_end_in_a_compiled_folder(tmp_path: Path) -> None:
    constraints = Constraints(Device(sram="4K"), flash="3K", instructions=200_000)
    result = handed_off(
        NETWORK, Data(TRAIN, TEST), constraints, tmp_path / "best",
        training=TrainingOptions(epochs=2, batch=32, augmentation=shifted),
        quantized_training=TrainingOptions(epochs=1, batch=64, rate=0.005),
    )  # fmt: skip
    assert result.int8_accuracy is not None and result.int8_accuracy > 0.8
    assert (tmp_path / "best" / "model.c").is_file() and (tmp_path / "best" / "report.html").is_file()
    told = json.loads((tmp_path / "best" / "hand_off.json").read_text())
    assert told["int8_accuracy"] == result.int8_accuracy
    assert told["classes"] == list("0123456789")
    assert told["costs"]["compiled"]["sram_bytes"] <= 4096
    report = json.loads((tmp_path / "best" / "report.json").read_text())
    assert NORMALIZATION.description in report["notes"] and report["model"] == NETWORK.summary


def test_usual_weights_cost_what_was_predicted() -> None:
    _, costs = compiled_within(NETWORK, quantized_network(), Constraints())
    assert costs == Prediction(PREDICTED, PREDICTED, ())


def test_an_input_by_rows_is_handed_off_as_predicted() -> None:
    device = Device(input_mode="rows")
    compiled, costs = compiled_within(NETWORK, quantized_network(), Constraints(device))
    assert costs.compiled == cost(NETWORK, input_mode="rows")
    whole, _ = compiled_within(NETWORK, quantized_network(), Constraints())
    cases = [NORMALIZATION.integers(TEST.images[:50]).transpose(0, 3, 1, 2)]
    np.testing.assert_array_equal(compiled.run(cases)[0], whole.run(cases)[0])


def test_dead_channels_are_named() -> None:
    costs = costs_with(silent)
    assert costs.compiled.macs < costs.predicted.macs
    assert "conv2d_1 has 24 of 32 channels" in costs.reasons


def test_kernels_that_do_not_fit_are_named() -> None:
    costs = costs_with(loud)
    assert costs.compiled.instructions > costs.predicted.instructions
    assert "conv2d_1 is run by the kernel portable instead of dsp" in costs.reasons


LIMITS = {
    "SRAM": (Constraints(Device(sram=900)), "the network needs at least .* 900 bytes .* Predicted were"),
    "flash": (
        Constraints(flash=PREDICTED.flash_bytes - 60),
        f"takes {PREDICTED.flash_bytes:,} bytes of constants as trained, 60 more than",
    ),
    "instructions": (Constraints(instructions=PREDICTED.instructions - 1), "instructions as trained, 1 more"),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_what_costs_too_much_is_refused(limit: str) -> None:
    constraints, message = LIMITS[limit]
    with pytest.raises(BudgetError, match=message):
        compiled_within(NETWORK, quantized_network(), constraints)


def test_a_folder_that_is_not_empty_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not an empty folder"):
        handed_off(NETWORK, Data(TRAIN, None), Constraints(), tmp_path, training=ONCE, progress=_never)


def _never(_items: object, what: str) -> list[int]:
    raise AssertionError(f"{what} began")
