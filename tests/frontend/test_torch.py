"""PT2E programs become modules and C that agree with torch, or are refused in one line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

import tinycc
from tests.passes.layout_tools import operators, run_on_vm
from tinycc.edges import read_edges
from tinycc.errors import UnsupportedError

pytest.importorskip("torch")
pytest.importorskip("torchao.quantization.pt2e")

import torch
from torch import nn
from torch.nn import functional as F

from tests.frontend.torch_tools import (
    EveryOperator,
    layer_steps,
    output_steps,
    quantized_program,
    random_case,
    xnnpack,
)
from tinycc.frontend.torch import load_torch

IMAGE = (1, 3, 12, 12)


class SmallNetwork(nn.Module):
    """Convolution, depthwise, pointwise, residual, pooling and linear layers, batch norms to be folded."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.depthwise = nn.Sequential(
            nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False), nn.BatchNorm2d(16), nn.ReLU6()
        )
        self.pointwise = nn.Sequential(nn.Conv2d(16, 16, 1, bias=False), nn.BatchNorm2d(16))
        self.pool = nn.MaxPool2d(2)
        self.wide = nn.Sequential(nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(inplace=True))
        self.head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(24, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = F.relu(x + self.pointwise(self.depthwise(x)))
        return self.head(self.wide(self.pool(x)))


def small_network() -> nn.Module:
    """With statistics in its batch norms."""
    torch.manual_seed(1)
    network = SmallNetwork().train()
    for seed in range(4):
        network(*random_case([(8, 3, 32, 32)], seed))
    return network.eval()


QUANTIZERS: dict[str, Callable[[], object]] = {
    "xnnpack": xnnpack,
    "int8": EveryOperator,
    "uint8": lambda: EveryOperator(torch.uint8, 0, 255),
    "uint8 of 7 bits": lambda: EveryOperator(torch.uint8, 0, 127),
}


@pytest.mark.parametrize("name", QUANTIZERS)
def test_a_network_agrees_with_torch(name: str, record_property: Callable[[str, object], None]) -> None:
    """Each layer within one step of torch's on the same operands; the outputs within two."""
    program = quantized_program(small_network(), [(1, 3, 32, 32)], QUANTIZERS[name]())
    compiled = tinycc.compile(program)
    layers = layer_steps(program, compiled, random_case([(1, 3, 32, 32)], 100))
    for layer, histogram in layers.items():
        print(f"{name}, {layer}: int8 steps {dict(sorted(histogram.items()))}")
        record_property(layer, dict(sorted(histogram.items())))
        assert max(histogram) <= 1
    assert {step.operator.kind for step in compiled.plan.steps} >= {
        "conv2d", "depthwise_conv2d", "add", "max_pool2d", "reduce", "dense",
    }  # fmt: skip
    cases = [random_case([(1, 3, 32, 32)], seed) for seed in range(200, 216)]
    outputs = output_steps(program, compiled, cases)
    print(f"{name}, outputs: int8 steps {dict(sorted(outputs.items()))}")
    record_property("outputs", dict(sorted(outputs.items())))
    assert max(outputs) <= 2


class Function(nn.Module):
    """`function` applied to layers and inputs."""

    def __init__(self, function: Callable[..., torch.Tensor], *layers: nn.Module) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.ModuleList(layers)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(self.layers, *inputs)


def _squeeze_and_excite(layers: nn.ModuleList, x: torch.Tensor) -> torch.Tensor:
    y = layers[0](x)
    return y * torch.sigmoid(layers[1](F.adaptive_avg_pool2d(y, 1)))


OPERATORS: dict[str, tuple[Callable[[], nn.Module], list[tuple[int, ...]]]] = {
    "padding same": (lambda: nn.Conv2d(3, 5, (4, 3), padding="same"), [IMAGE]),
    "padding valid": (lambda: nn.Conv2d(3, 5, 3, stride=2, padding="valid"), [IMAGE]),
    "groups": (lambda: nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2), [(1, 4, 9, 7)]),
    "depth multiplier": (lambda: nn.Conv2d(4, 8, 3, stride=2, groups=4), [(1, 4, 9, 7)]),
    "linear": (lambda: nn.Sequential(nn.Linear(9, 7, bias=False), nn.ReLU(), nn.Linear(7, 3)), [(1, 9)]),
    "linear over pixels": (lambda: nn.Linear(3, 5), [(1, 4, 6, 3)]),
    "flatten": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(400, 6)), [IMAGE]),
    "permute": (lambda: Function(lambda m, x: m[1](m[0](x).permute(0, 2, 3, 1)), nn.Conv2d(3, 4, 3),
                                 nn.Linear(4, 7)), [IMAGE]),
    "max pool": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(3, 2, 1, ceil_mode=True)), [IMAGE]),
    "average pool": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.AvgPool2d(2)), [IMAGE]),
    "average of padding": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.AvgPool2d(3, 2, 1)), [IMAGE]),
    "average without padding": (lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), [IMAGE]),
    "global average": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1)), [IMAGE]),
    "mean": (lambda: Function(lambda m, x: m[0](x).mean([2, 3]), nn.Conv2d(3, 4, 3)), [IMAGE]),
    "add": (lambda: Function(lambda m, x, y: F.relu(x + y)), [IMAGE, IMAGE]),
    "multiply": (lambda: Function(lambda m, x, y: x * y), [IMAGE, (1, 3, 1, 1)]),
    "concatenate": (lambda: Function(lambda m, x: torch.cat([m[0](x), m[1](x)], 1), nn.Conv2d(3, 4, 1),
                                     nn.Conv2d(3, 5, 1)), [IMAGE]),
    "squeeze and excite": (lambda: Function(_squeeze_and_excite, nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 1)),
                           [IMAGE]),
    "hard swish": (lambda: nn.Hardswish(), [IMAGE]),
    "leaky relu": (lambda: nn.LeakyReLU(0.1), [IMAGE]),
    "sigmoid": (lambda: nn.Sigmoid(), [IMAGE]),
    "softmax": (lambda: nn.Softmax(-1), [(1, 12)]),
    "slice": (lambda: Function(lambda m, x: m[0](x)[:, 1:, ::2, 3:-1], nn.Conv2d(3, 4, 1)), [IMAGE]),
    "pad": (lambda: Function(lambda m, x: F.pad(m[0](x), (1, 2, 0, 1)), nn.Conv2d(3, 4, 3)), [IMAGE]),
    "pad of an input": (lambda: nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 4, 3, 2)), [IMAGE]),
    "one dimension": (lambda: nn.Sequential(nn.Conv1d(3, 4, 5, padding=2), nn.ReLU()), [(1, 3, 20)]),
    "nearest": (lambda: nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(3, 4, 3)), [IMAGE]),
}  # fmt: skip


@pytest.mark.parametrize("name", OPERATORS)
def test_an_operator_agrees_with_torch(name: str) -> None:
    make, shapes = OPERATORS[name]
    torch.manual_seed(2)
    program = quantized_program(make(), shapes, EveryOperator())
    compiled = tinycc.compile(program)
    histogram = output_steps(program, compiled, [random_case(shapes, seed) for seed in range(100, 104)])
    assert max(histogram) <= 1
    assert not compiled.report["fallbacks"]


def test_outputs_are_integers_of_the_last_quantization() -> None:
    program = quantized_program(nn.Linear(9, 5), [(1, 9)], EveryOperator())
    [output] = read_edges(load_torch(program)).outputs
    assert (output.dtype, output.shape, output.scale) == ("float32", (1, 5), None)
    [compiled] = tinycc.compile(program).plan.edges.outputs
    assert compiled.scale is not None
    assert tinycc.compile(program, io="float").plan.output_tensors[0].dtype == "float32"


def test_a_final_softmax_gets_the_scale_of_probabilities() -> None:
    program = quantized_program(nn.Sequential(nn.Linear(9, 5), nn.Softmax(-1)), [(1, 9)], xnnpack())
    compiled = tinycc.compile(program)
    assert (compiled.plan.edges.outputs[0].scale, compiled.plan.edges.outputs[0].zero_point) == (
        1 / 256,
        -128,
    )
    assert max(output_steps(program, compiled, [random_case([(1, 9)], 100)])) <= 1


def test_float_weights_under_a_quantize_become_int8() -> None:
    """convert_pt2e(fold_quantize=False) leaves the weights float."""
    network = small_network()
    folded = load_torch(quantized_program(network, [(1, 3, 32, 32)], EveryOperator()))
    unfolded = load_torch(quantized_program(network, [(1, 3, 32, 32)], EveryOperator(), fold_quantize=False))
    assert operators(unfolded) == operators(folded)
    case = random_case([(1, 3, 32, 32)], 100)[0].numpy().transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(run_on_vm(unfolded, [case])[0], run_on_vm(folded, [case])[0])


def _refusal(program: object) -> str:
    with pytest.raises(UnsupportedError) as caught:
        tinycc.compile(program)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_float_programs_are_refused() -> None:
    program = torch.export.export(small_network(), random_case([(1, 3, 32, 32)], 0))
    assert "quantize it with PT2E first" in _refusal(program)


def test_larger_batches_are_refused() -> None:
    program = quantized_program(nn.Linear(9, 5), [(2, 9)], EveryOperator())
    assert "batch of 2; export" in _refusal(program)


def test_dynamic_shapes_are_refused() -> None:
    case = random_case([(2, 9)], 0)
    shapes = ({0: torch.export.Dim("batch", min=1, max=8)},)
    program = torch.export.export(nn.Linear(9, 5), case, dynamic_shapes=shapes)
    assert "dimension 0 of input 'input' is dynamic" in _refusal(program)


def test_unsupported_operators_are_named() -> None:
    network = Function(lambda m, x: m[0](torch.cumsum(m[0](x), 1)), nn.Linear(9, 9))
    assert "cumsum 'cumsum'" in _refusal(quantized_program(network, [(1, 9)], EveryOperator()))


def test_statistics_of_a_batch_are_refused() -> None:
    network = Function(lambda m, x: F.batch_norm(x, None, None, training=True))
    program = torch.export.export(network, random_case([IMAGE], 0))
    assert "move the prepared one to evaluation" in _refusal(program)


def test_float_results_are_refused() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(2))
    program = quantized_program(network, [IMAGE], xnnpack())
    assert isinstance(tinycc.compile(program).report["arena_bytes"], int)
    absolute = Function(lambda m, x: m[0](x).abs(), nn.Conv2d(3, 4, 3))
    message = _refusal(quantized_program(absolute, [IMAGE], EveryOperator()))
    assert "abs 'abs_1' gives floating-point numbers" in message


def test_layers_left_in_float_are_named() -> None:
    network = Function(lambda m, x: m[0](x) + m[0](x[:, :, ::1]), nn.Conv2d(3, 4, 3))
    message = _refusal(quantized_program(network, [IMAGE], xnnpack()))
    assert "conv2d 'conv2d_1'" in message


class Counting(nn.Module):
    """Counts its calls, for whoever looks at the buffer, or for its own result."""

    def __init__(self, is_used: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(9, 5)
        self.register_buffer("count", torch.zeros(1))
        self.count: torch.Tensor
        self.is_used = is_used

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.count.add_(1)
        return self.linear(x), *([self.count.clone()] if self.is_used else [])


def test_buffers_that_change_are_refused() -> None:
    assert "changes 'count'" in _refusal(quantized_program(Counting(True), [(1, 9)], EveryOperator()))


def test_buffers_that_change_for_nobody_are_left_out() -> None:
    compiled = tinycc.compile(quantized_program(Counting(False), [(1, 9)], EveryOperator()))
    assert [step.operator.kind for step in compiled.plan.steps] == ["dense"]


def test_torch_is_imported_only_for_torch_programs() -> None:
    code = "import sys, tinycc, tinycc.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
