"""Whatever cannot be trained, or trained on, is refused in one line that names it, before anything runs."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.tools.kernel_runner import dequantized, module_of, quantized
from tests.tools.networks import ZERO_POINT, Network, shared
from tests.tools.training_library import Device
from tinycc import training
from tinycc.errors import BudgetError, InputDataError, ModelError, OutputError, TrainingError
from tinycc.run import train
from tinycc.training import LayerScheme, Scheme, UpdateRule
from tinycc.training.fit import fit

CLASSES = 5


def network_with(middle: Callable[[Network, relax.Expr], relax.Expr]) -> tvm.IRModule:
    """A convolution, what is given, and a dense layer of CLASSES outputs."""
    network = Network()

    def body(x: relax.Expr) -> relax.Expr:
        made = middle(network, network.convolution(x, 4, 3, kernel=3))
        return network.dense(network.mean(made), 4, CLASSES)

    return shared(module_of([((1, 8, 8, 3), "int8")], body))


def plain_network() -> tvm.IRModule:
    return network_with(lambda _, x: x)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("c") / "model"
    training.compile(plain_network()).export(path)
    return path


@pytest.fixture
def examples() -> tuple[list[np.ndarray], np.ndarray]:
    return [np.zeros((4, 8, 8, 3), np.int8)], np.arange(4)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.array([0, 1, 5, 2]), "from 0 to 4, the outputs of the model: not 5"),
        (np.array([0, 1, -1, 2]), "from 0 to 4, the outputs of the model: not -1"),
        (np.array([0.0, 1.0, 2.0, 3.0]), "from 0 to 4, not float64"),
        (np.array([0, 1, 2]), "3 labels for 4 examples"),
        (np.array([], int), "0 labels for 4 examples"),
    ],
    ids=["too great", "negative", "real", "too few", "none"],
)
def test_labels(
    folder: Path, examples: tuple[list[np.ndarray], np.ndarray], labels: np.ndarray, message: str
) -> None:
    with pytest.raises(InputDataError, match=message):
        fit(folder, examples[0], labels)
    if len(labels) == 4:
        with pytest.raises(InputDataError, match=message):
            fit(folder, *examples, test=(examples[0], labels))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": -1}, "-1 epochs: give 1 or more"),
        ({"test_every": 0}, "a test after 0 steps: give 1 or more"),
        ({"rate": math.nan}, "a learning rate is a number from 0 on"),
        ({"rate": -0.1}, "a learning rate is a number from 0 on"),
    ],
    ids=str,
)
def test_options(
    folder: Path, examples: tuple[list[np.ndarray], np.ndarray], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputDataError, match=message):
        fit(folder, *examples, **options)


def test_targets_of_a_squared_error(tmp_path: Path, examples: tuple[list[np.ndarray], np.ndarray]) -> None:
    training.compile(plain_network(), "squared_error").export(tmp_path / "c")
    for targets, message in (
        (np.zeros((4, CLASSES - 1)), r"a target is 5 real numbers, not float64 \[4\]"),
        (np.full((4, CLASSES), math.nan), "a target is no finite number"),
    ):
        with pytest.raises(InputDataError, match=message):
            train(tmp_path / "c", "host", examples[0], targets, 0.1)


def test_the_device_trains_nothing_with_a_label_out_of_range(folder: Path) -> None:
    device = Device(folder)
    before = device.trained
    for label in (-1, CLASSES, 2**31 - 1):
        assert math.isnan(device.train(np.ones((8, 8, 3), np.int8), label))
        assert device.trained == before
    assert device.skipped == 3
    assert math.isfinite(device.train(np.ones((8, 8, 3), np.int8), 0))
    assert device.trained != before
    assert device.skipped == 3
    device.reset()
    assert device.skipped == 0


@pytest.mark.parametrize("rate", [math.nan, math.inf, -math.inf, 1e30])
def test_the_device_writes_no_change_that_is_no_number(folder: Path, rate: float) -> None:
    device = Device(folder)
    before = device.trained
    device.set_learning_rate(rate)
    device.train(np.ones((8, 8, 3), np.int8), 1)
    assert device.trained == before
    assert device.skipped == 1


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30, -3e38])
def test_a_step_whose_loss_overflows_changes_nothing(tmp_path: Path, value: float) -> None:
    training.compile(plain_network(), "squared_error").export(tmp_path / "c")
    device, before = Device(tmp_path / "c"), Device(tmp_path / "c").trained
    target = np.array([0, 0, value, 0, 0], np.float32)
    assert not math.isfinite(device.train(np.ones((8, 8, 3), np.int8), target))
    assert device.trained == before
    assert device.skipped == 1


@pytest.mark.parametrize("scale", [1e7, 1e20])
def test_a_gradient_that_overflows_ends_the_updates_of_its_step(tmp_path: Path, scale: float) -> None:
    """Sums of 0, of which none is clamped, let gradients through that each layer multiplies by its scale."""
    network = Network(weight_scale=scale)

    def body(x: relax.Expr) -> relax.Expr:
        deep = network.convolution(network.convolution(x, 8, 3), 8, 8)
        return network.dense(network.mean(deep), 8, CLASSES)

    module = shared(module_of([((1, 8, 8, 3), "int8")], body))
    training.compile(module, rule=UpdateRule(is_scaled=False)).export(tmp_path / "c")
    device, shipped = Device(tmp_path / "c"), Device(tmp_path / "c")
    device.train(np.full((8, 8, 3), ZERO_POINT, np.int8), 0)
    assert device.skipped == 1
    names = ("dense_0_bias", "conv2d_0_bias", "conv2d_0_weights")
    assert [device.state(name) == shipped.state(name) for name in names] == [False, True, True]


def test_a_folder_without_a_training_step(
    tmp_path: Path, examples: tuple[list[np.ndarray], np.ndarray]
) -> None:
    import tinycc

    tinycc.compile(plain_network()).export(tmp_path / "c")
    with pytest.raises(OutputError, match="has no training step: compile the model with --train"):
        fit(tmp_path / "c", *examples)


def test_schemes() -> None:
    cases = {
        "conv2d_7, which is no layer that can be trained: conv2d_0, dense_0": Scheme(
            {"conv2d_7": LayerScheme()}
        ),
        "made for another model": Scheme({"dense_0": LayerScheme()}, model="0123456789abcdef"),
        "trains nothing": Scheme({"dense_0": LayerScheme(bias=False)}),
        "1.5 of the weights of dense_0": Scheme({"dense_0": LayerScheme(weights=1.5)}),
    }
    for message, scheme in cases.items():
        with pytest.raises(TrainingError, match=message):
            training.compile(plain_network(), scheme=scheme)


@pytest.mark.parametrize("content", ["", "[]", '{"format": 9}', '{"format": 1, "layers": 3}'])
def test_a_file_that_is_no_scheme(tmp_path: Path, content: str) -> None:
    path = tmp_path / "scheme.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ModelError, match=r"scheme\.json is no training scheme"):
        training.named_scheme(str(path))


def test_an_operator_without_a_gradient_is_named() -> None:
    def softmax(_network: Network, x: relax.Expr) -> relax.Expr:
        return quantized(relax.op.nn.softmax(dequantized(x, 0.05, 3)), 1 / 256, -128)

    with pytest.raises(TrainingError, match=r"softmax with the result .* has no gradient: train only layers"):
        training.compile(network_with(softmax))
    behind = training.compile(network_with(softmax), scheme=training.named_scheme("last:1"))
    assert "softmax" in {operator["kind"] for operator in behind.report["operators"]}


def test_memory_that_cannot_be_met() -> None:
    needed = training.compile(plain_network()).report["arena_bytes"]
    with pytest.raises(BudgetError, match=rf"needs an arena of {needed:,} bytes, .* of SRAM given") as caught:
        training.compile(plain_network(), sram=needed - 1)
    assert "The peak is at train_" in str(caught.value)
    training.compile(plain_network(), sram=needed)
