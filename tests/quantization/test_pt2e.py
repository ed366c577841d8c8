"""A plain torch module is quantized and compiled, or refused in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import tinycc
from tinycc.errors import InputDataError, ModelError, TinyccError, UnsupportedError

pytest.importorskip("torch")
pytest.importorskip("torchao.quantization.pt2e")

import torch
from torch import nn

from tinycc.quantization.pt2e import quantize_program

CASE = torch.linspace(-1, 1, 12).reshape(1, 12)


def network() -> nn.Module:
    """Dropout and a batch norm included, as it is left by training."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(12, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(), nn.Linear(8, 3))
    layers(torch.randn(32, 12))
    return layers


def cases(count: int) -> torch.Tensor:
    return torch.randn(count, 12, generator=torch.Generator().manual_seed(1))


def test_a_module_is_compiled_with_calibration_data() -> None:
    module, inputs = network(), cases(64)
    compiled = tinycc.compile(module, example_inputs=CASE, calibration=[inputs])
    assert [step.operator.kind for step in compiled.plan.steps] == ["dense", "dense"]
    [edge], [result] = compiled.plan.edges.outputs, compiled.run([inputs[:, None].numpy()])
    real = (result[:, 0].astype(np.float32) - edge.zero_point) * edge.scale
    expected = module.eval()(inputs).detach().numpy()
    assert np.abs(real - expected).max() < 4 * edge.scale


def test_the_module_stays_as_it_is() -> None:
    module = network()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    quantize_program(module, CASE, [cases(4)])
    assert module.training and all(part.training for part in module)
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_an_operator_that_writes_over_its_operand_does_so_for_all_readers() -> None:
    class Clamped(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = 2 * x
            y.relu_()
            return y + x

    program = quantize_program(Clamped(), CASE, [CASE])
    expected = (2 * CASE).relu() + CASE
    assert (program.module()(CASE) - expected).abs().max() < 0.02


CALIBRATIONS: dict[str, Callable[[], Any]] = {
    "tensors": lambda: list(cases(8).split(1)),
    "tuples": lambda: [(case,) for case in cases(8).split(1)],
    "a loader": lambda: torch.utils.data.DataLoader(torch.utils.data.TensorDataset(cases(8)), batch_size=3),
    "numpy": lambda: [cases(8).numpy()],
    "one batch": lambda: cases(8),
    "a generator": lambda: (case for case in cases(8).split(2)),
}


def scales(program: torch.export.ExportedProgram) -> list[float]:
    """Of the activations, in the program's order."""
    quantizes = [node for node in program.graph.nodes if node.name.startswith("quantize_per_tensor")]
    return [float(node.args[1]) for node in quantizes]  # type: ignore[arg-type]


def test_calibration_data_come_as_they_are() -> None:
    expected = scales(quantize_program(network(), CASE, [cases(8)]))
    for name, calibration in CALIBRATIONS.items():
        assert scales(quantize_program(network(), CASE, calibration())) == expected, name


class Counting(nn.Module):
    """Adds up its inputs."""

    def __init__(self, is_used: bool) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(12))
        self.total: torch.Tensor
        self.is_used = is_used

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x[0])
        return x + self.total if self.is_used else x + 1


def test_states_are_no_constants() -> None:
    with pytest.raises(UnsupportedError, match="changes 'total': let it take and return that"):
        quantize_program(Counting(True), CASE, [CASE])
    compiled = tinycc.compile(Counting(False), example_inputs=CASE, calibration=[CASE])
    assert [step.operator.kind for step in compiled.plan.steps] == ["lookup"]


class Forward(nn.Module):
    """A module that does what a function says."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.function(*inputs)


def with_nan() -> nn.Module:
    module = network()
    with torch.no_grad():
        next(module.parameters())[0, 0] = float("nan")
    return module


def failing() -> Iterator[torch.Tensor]:
    yield CASE
    raise OSError("the card was pulled out")


REFUSED: dict[str, tuple[Callable[[], Any], Any, type[TinyccError], str]] = {
    "control flow": (
        lambda: Forward(lambda x: x if x.sum() > 0 else -x), [CASE], ModelError, "depend on the data",
    ),
    "sizes": (lambda: Forward(lambda x: x[:, : int(x[0, 0])]), [CASE], ModelError, "depend on the data"),
    "an error of the module": (lambda: Forward(lambda x: x @ x), [CASE], ModelError, "cannot take"),
    "weights": (with_nan, [CASE], ModelError, "the weights '0.weight' hold NaN"),
    "weights not loaded": (lambda: nn.Linear(12, 3, device="meta"), [CASE], ModelError, "device .meta."),
    "an operator": (
        lambda: Forward(lambda x: x.cumsum(1)), [CASE], UnsupportedError, "cumsum 'cumsum': aten.cumsum",
    ),
    "shape": (network, [CASE, cases(1)[:, 1:]], InputDataError, r"case 1: the shape \[1, 11\] where"),
    "rank": (network, [CASE[0]], InputDataError, r"case 0: the shape \[12\]"),
    "type": (network, [CASE.double()], InputDataError, "torch.float64 where"),
    "NaN": (network, [CASE, CASE / 0], InputDataError, "case 1: it holds NaN"),
    "count": (network, [(CASE, torch.tensor([1]))], InputDataError, "2 tensors where the module takes 1"),
    "no cases": (network, [], InputDataError, "no case"),
    "an empty batch": (network, [cases(0)], InputDataError, "no case"),
    "text": (network, ["a.npz"], InputDataError, "case 0: a str where"),
    "a number": (network, 5, InputDataError, "a int where cases"),
    "a dictionary": (network, [{"x": CASE}], InputDataError, "case 0: a dict where"),
    "a module alone": (network, None, UnsupportedError, "quantize it with PT2E first"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_one_line(name: str) -> None:
    make, calibration, error, message = REFUSED[name]
    with pytest.raises(error, match=message) as caught:
        tinycc.compile(make(), example_inputs=CASE, calibration=calibration)
    assert "\n" not in str(caught.value)


def test_who_gives_the_data_sees_its_own_errors() -> None:
    with pytest.raises(OSError, match="pulled out"):
        quantize_program(network(), CASE, failing())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "the torch module Sequential needs example_inputs"),
        ({"calibration": [CASE]}, "a torch module needs example_inputs"),
        ({"example_inputs": "x"}, "example_inputs: a str where"),
    ],
)
def test_example_inputs_are_asked_for(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TinyccError, match=message):
        tinycc.compile(network(), **options)


def test_a_module_is_quantized_by_the_function_for_all_models() -> None:
    kept = tinycc.quantize(network(), [cases(8)], example_inputs=CASE, range="mse", keep={"4": "float"})
    nodes = [str(node.target) for node in kept.graph.nodes if node.op == "call_function"]
    assert (
        sum("linear" in name for name in nodes) == 2
        and sum("quantize_per_channel" in name for name in nodes) == 1
    )


def test_weights_of_a_module_may_be_int4() -> None:
    program = tinycc.quantize(network(), [cases(8)], example_inputs=CASE, weights="int4", keep={"0": "int8"})
    tensors = (*program.state_dict.values(), *program.constants.values())
    stored = [int(each.abs().max()) for each in tensors if each.dtype == torch.int8 and each.dim() > 1]
    assert stored[0] == 127 and set(stored[1:]) == {7}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "int2"}, "only int8, int4"),
        ({"equalize": True}, "equalize is for files"),
        ({"keep": "auto"}, "kept by name"),
        ({"keep": {"0": "int16"}}, "kept by name"),
        ({"range": "entropy"}, "entropy"),
    ],
)
def test_what_is_for_files_alone_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        tinycc.quantize(network(), [cases(4)], example_inputs=CASE, **options)


def test_a_file_has_no_example_inputs() -> None:
    with pytest.raises(UnsupportedError, match="belong to a torch module"):
        tinycc.quantize("model.onnx", [cases(4)], example_inputs=CASE)


def test_the_quantizer_is_found_in_the_package() -> None:
    assert tinycc.torch.Quantizer().__class__.__module__ == "tinycc.torch"
