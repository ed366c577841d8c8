"""What is handed off keeps within the constraints as compiled, and says what is not as predicted."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.search.digits import NETWORK, digits
from tinycc.errors import BudgetError, OutputError
from tinycc.search.augmentation import shifted
from tinycc.search.constraints import Constraints
from tinycc.search.cost import Device, cost
from tinycc.search.data import Data
from tinycc.search.hand_off import compiled_within, handed_off
from tinycc.search.network import Network
from tinycc.search.quantized_training import quantized
from tinycc.search.retraining import TrainingOptions

TRAIN, TEST, NORMALIZATION = digits()
ONCE = TrainingOptions(epochs=1, batch=64, rate=1e-3)
PREDICTED = cost(NETWORK)


def network() -> Network:
    """With random weights, and statistics that are those of data."""
    torch.manual_seed(0)
    made = Network(NETWORK)
    made.train()(torch.randn(256, 1, 8, 8))
    return made.eval()


def program(changed: Callable[[Network], None] = lambda _: None) -> torch.export.ExportedProgram:
    made = network()
    with torch.no_grad():
        changed(made)
    return quantized(made, TRAIN, NORMALIZATION, ONCE)


def silenced(made: Network) -> None:
    """Eight channels of the second convolution are 0 behind their clamps."""
    norm = made.layers[1][1]
    norm.weight[:8] = 0
    norm.bias[:8] = -1


@pytest.fixture(scope="module")
def usual() -> torch.export.ExportedProgram:
    return program()


def test_digits_end_in_a_compiled_folder(tmp_path: Path) -> None:
    constraints = Constraints(Device(sram="4K"), flash="3K", instructions=200_000)
    result = handed_off(
        NETWORK, Data(TRAIN, TEST), constraints, tmp_path / "best",
        training=TrainingOptions(epochs=3, batch=32, augmentation=shifted),
        quantized_training=TrainingOptions(epochs=1, batch=64, rate=0.005),
    )  # fmt: skip
    assert result.int8_accuracy is not None and result.int8_accuracy > 0.8
    assert (tmp_path / "best" / "model.c").is_file() and (tmp_path / "best" / "report.html").is_file()
    told = json.loads((tmp_path / "best" / "hand_off.json").read_text())
    assert told["int8_accuracy"] == result.int8_accuracy
    assert told["costs"]["compiled"]["sram_bytes"] <= 4096
    report = json.loads((tmp_path / "best" / "report.json").read_text())
    assert NORMALIZATION.description in report["notes"] and report["model"] == NETWORK.summary


def test_usual_weights_cost_what_was_predicted(usual: torch.export.ExportedProgram) -> None:
    _, costs = compiled_within(NETWORK, usual, NORMALIZATION, Constraints())
    assert costs.compiled == costs.predicted == PREDICTED
    assert costs.reasons == ()


def test_dead_channels_are_named() -> None:
    _, costs = compiled_within(NETWORK, program(silenced), NORMALIZATION, Constraints())
    assert costs.compiled.macs < costs.predicted.macs
    assert "conv2d_1 has 24 of 32 channels" in costs.reasons


LIMITS = {
    "SRAM": (Constraints(Device(sram=900)), "the network needs at least .* 900 bytes .* Predicted were"),
    "flash": (
        Constraints(flash=PREDICTED.flash_bytes - 60),
        f"takes {PREDICTED.flash_bytes:,} bytes of constants as trained, 60 more than",
    ),
    "instructions": (Constraints(instructions=PREDICTED.instructions - 1), "instructions as trained, 1 more"),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_what_costs_too_much_is_refused(limit: str, usual: torch.export.ExportedProgram) -> None:
    constraints, message = LIMITS[limit]
    with pytest.raises(BudgetError, match=message):
        compiled_within(NETWORK, usual, NORMALIZATION, constraints)


def test_a_folder_that_is_not_empty_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputError, match="not an empty folder"):
        handed_off(NETWORK, Data(TRAIN, None), Constraints(), tmp_path, training=ONCE, progress=_never)


def _never(_items: object, what: str) -> list[int]:
    raise AssertionError(f"{what} began")
