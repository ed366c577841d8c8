"""The example's own functions: a small network learns on the emulated board, and is plotted."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from rich.console import Console
from tvm import relax

from tests.tools.kernel_runner import module_of
from tests.tools.networks import Network, shared
from tinycc import training
from tinycc.errors import ToolError
from tinycc.training.fit import Curve

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "on_device_learning" / "learn_a_speaker.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("learn_a_speaker", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    network = Network(weight_scale=0.003)

    def body(x: relax.Expr) -> relax.Expr:
        return network.dense(network.mean(network.convolution(x, 8, 1)), 8, 2)

    path = tmp_path_factory.mktemp("firmware") / "c"
    training.compile(shared(module_of([((1, 4, 4, 1), "int8")], body))).export(path)
    return path


def learned(example: ModuleType, folder: Path) -> Curve:
    """From ten pictures, black ones and white ones."""
    labels = np.arange(10) % 2
    images = np.broadcast_to(np.where(labels, 100, -100).astype(np.int8)[:, None, None, None], (10, 4, 4, 1))
    return example.learn(folder, (images, labels), (images[:4], labels[:4]), Console(quiet=True))


def test_it_learns_on_the_board_and_is_plotted_by_steps(
    example: ModuleType, folder: Path, tmp_path: Path
) -> None:
    curve = learned(example, folder)
    assert "Cortex-M4" in curve.board and curve.instructions is not None
    assert curve.tested_after == list(range(0, 10 * example.EPOCHS + 1, example.TESTED_EVERY))
    assert curve.losses[-1] < curve.losses[0]
    example.plot(curve, tmp_path / "accuracy.svg")
    assert "</svg>" in (tmp_path / "accuracy.svg").read_text(encoding="utf-8")


def test_without_an_emulator_it_learns_on_the_host(
    example: ModuleType, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_board = example.fit

    def without_emulator(*arguments: object, on: str, **options: object) -> Curve:
        if on != "host":
            raise ToolError("qemu-system-arm is not there")
        return at_board(*arguments, on=on, **options)

    monkeypatch.setattr(example, "fit", without_emulator)
    assert learned(example, folder).board == "host"
