"""A network that was chosen is trained, in float and in int8, and what is compiled is what was trained."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import tinycc
from tests.search.digits import NETWORK, digits, quantized_network, trained_network
from tinycc.compiler import CompiledModel
from tinycc.errors import TrainingError
from tinycc.search.architecture import Architecture, Dense, Mean
from tinycc.search.augmentation import shifted, shifted_and_flipped, shifted_in_time
from tinycc.search.batches import Batches, accuracy
from tinycc.search.compiled_accuracy import accuracy_of_compiled
from tinycc.search.network import Network
from tinycc.search.quantized_training import without_batch_norms
from tinycc.search.retraining import TrainingOptions, trained

SHORT = TrainingOptions(epochs=2, batch=64)
TRAIN, TEST, NORMALIZATION = digits()
FEW = TRAIN.part(np.arange(256))


def weights(network: Network) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in network.state_dict().items()}


def short(path: Path | None = None, seed: int = 0, options: TrainingOptions = SHORT) -> Network:
    return trained(NETWORK, FEW, NORMALIZATION, options, seed=seed, path=path)


@pytest.fixture(scope="module")
def compiled() -> CompiledModel:
    return tinycc.compile(quantized_network())


def test_a_network_learns() -> None:
    assert accuracy(trained_network(), Batches(TEST, NORMALIZATION, torch.device("cpu"))) > 0.85


def test_folded_batch_norms_change_nothing() -> None:
    network = trained_network()
    [(images, _)] = Batches(TEST, NORMALIZATION, torch.device("cpu")).in_order(len(TEST))
    with torch.no_grad():
        torch.testing.assert_close(without_batch_norms(network)(images), network(images), rtol=0, atol=1e-4)


def test_the_compiled_network_is_of_int8_throughout(compiled: CompiledModel) -> None:
    report = compiled.report
    assert [item["kind"] for item in report["operators"]] == [
        "conv2d", "conv2d", "depthwise_conv2d", "conv2d", "add", "reduce", "dense",
    ]  # fmt: skip
    types = {item["output_dtype"] for item in report["operators"]}
    assert types == {report["inputs"][0]["dtype"]} == {report["outputs"][0]["dtype"]} == {"int8"}


def test_the_input_is_made_of_raw_pixels_by_subtraction(compiled: CompiledModel) -> None:
    [edge] = compiled.report["inputs"]
    assert edge["zero_point"] == NORMALIZATION.zero_point
    assert edge["scale"] == pytest.approx(NORMALIZATION.scale)


def test_the_compiled_network_is_as_accurate_as_the_trained_one(compiled: CompiledModel) -> None:
    module = quantized_network().module()
    batches = Batches(TEST, NORMALIZATION, torch.device("cpu"))
    one_by_one = accuracy(lambda images: torch.cat([module(image[None]) for image in images]), batches)
    found = accuracy_of_compiled(compiled, TEST, NORMALIZATION)
    assert abs(found - one_by_one) <= 3 / len(TEST)
    assert found > accuracy(trained_network(), batches) - 0.03


def test_an_interrupted_training_ends_as_an_undisturbed_one(tmp_path: Path) -> None:
    epochs_of: list[list[int]] = []

    def until_the_second(epochs: Sequence[int], _: str) -> Iterator[int]:
        yield epochs[0]
        raise KeyboardInterrupt

    def to_the_end(epochs: Sequence[int], _: str) -> Sequence[int]:
        epochs_of.append(list(epochs))
        return epochs

    options, path = replace(SHORT, epochs=3), tmp_path / "c.pt"
    with pytest.raises(KeyboardInterrupt):
        trained(NETWORK, FEW, NORMALIZATION, options, path=path, progress=until_the_second)
    resumed = trained(NETWORK, FEW, NORMALIZATION, options, path=path, progress=to_the_end)
    assert epochs_of == [[1, 2]] and weights(resumed) == weights(short(options=options))


def test_other_seeds_are_other_networks() -> None:
    assert weights(short()) != weights(short(seed=1))


def test_training_goes_on_from_weights() -> None:
    """At next to no rate they stay what they are."""
    first = short()
    options = replace(SHORT, rate=1e-9, weight_decay=0)
    again = trained(NETWORK, FEW, NORMALIZATION, options, weights=first)
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def damaged(path: Path) -> TrainingOptions:
    path.write_bytes(path.read_bytes()[:-100])
    return SHORT


def of_something_else(path: Path) -> TrainingOptions:
    torch.save({"weights": torch.zeros(3)}, path)
    return SHORT


CHECKPOINTS = {
    "damaged": (damaged, "is no readable checkpoint"),
    "of something else": (of_something_else, "is no checkpoint of a training"),
    "of another training": (lambda _: replace(SHORT, rate=0.01), "with other options"),
}


@pytest.mark.parametrize("case", CHECKPOINTS)
def test_a_checkpoint_that_is_not_of_this_training_is_refused(case: str, tmp_path: Path) -> None:
    change, message = CHECKPOINTS[case]
    short(tmp_path / "c.pt")
    with pytest.raises(TrainingError, match=message):
        short(tmp_path / "c.pt", options=change(tmp_path / "c.pt"))


REFUSED = {
    "images of another size": (NETWORK, TRAIN.resized((6, 6)), "resize them"),
    "other classes": (Architecture((8, 8, 1), (Mean(), Dense(4))), TRAIN, "gives .4. scores"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_data_of_another_network_are_refused(case: str) -> None:
    architecture, data, message = REFUSED[case]
    with pytest.raises(TrainingError, match=message):
        trained(architecture, data, NORMALIZATION, SHORT)


def test_a_rate_that_is_too_high_is_said() -> None:
    with pytest.raises(TrainingError, match="lower rate than 1e"):
        short(options=replace(SHORT, rate=1e30))


def test_a_device_that_there_is_not_is_refused() -> None:
    with pytest.raises(TrainingError, match="cannot train on the device 'cuda:99'"):
        trained(NETWORK, FEW, NORMALIZATION, SHORT, device="cuda:99")


@pytest.mark.parametrize("options", [{"epochs": 0}, {"batch": 1}, {"rate": 0.0}])
def test_options_with_which_nothing_is_trained_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(TrainingError, match="train nothing"):
        TrainingOptions(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("augmentation", [shifted, shifted_and_flipped, shifted_in_time])
def test_augmentation_moves_what_is_there(augmentation: object) -> None:
    """Of an image with one bright pixel in the middle, all others have it too, near there."""
    images = torch.zeros(64, 2, 17, 17)
    images[:, :, 8, 8] = 1.0
    result = augmentation(images, torch.Generator().manual_seed(0))
    again = augmentation(images, torch.Generator().manual_seed(0))
    assert torch.equal(result, again) and torch.equal(result.sum((2, 3)), torch.ones(64, 2))
    places = result[:, 0].nonzero()[:, 1:]
    assert set(places[:, 0].tolist()) == set(range(6, 11))
    columns = {8} if augmentation is shifted_in_time else set(range(6, 11))
    assert set(places[:, 1].tolist()) == columns
