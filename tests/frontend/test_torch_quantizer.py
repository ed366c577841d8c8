"""tinycc.torch.Quantizer annotates what the kernels compute: nothing is quantized inside one, nor twice."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import numpy as np
import pytest

import tinycc
from tinycc.errors import UnsupportedError

pytest.importorskip("torch")
pytest.importorskip("torchao.quantization.pt2e")

import torch
from torch import nn
from torch.nn import functional as F
from torchao.quantization.pt2e import move_exported_model_to_eval, move_exported_model_to_train
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e

from tests.frontend.test_torch import Function
from tests.frontend.torch_tools import layer_steps, output_steps, random_case
from tinycc.quantization.pt2e import quantize_program
from tinycc.torch import PercentileObserver, Quantizer

IMAGE = (1, 4, 6, 6)
SLOW = os.environ.get("TINYCC_SLOW") == "1"


def conv(inputs: int = 4, outputs: int = 4, **options: int) -> nn.Module:
    return nn.Conv2d(inputs, outputs, 3, padding=1, **options)


def trained(*layers: nn.Module) -> nn.Sequential:
    """With statistics in its batch norms."""
    network = nn.Sequential(*layers).train()
    network(*random_case([(16, *IMAGE[1:])], 0))
    return network.eval()


def normalized(axes: tuple[int, ...]) -> nn.Module:
    """A linear layer of means over `axes`, and a batch norm behind it."""
    layer = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6))
    layer.train()(torch.randn(16, 4))
    return Function(lambda m, x: F.relu(m[0](x.mean(axes))), layer.eval())


SCALES = nn.Parameter(torch.tensor([[[0.5]], [[2.0]], [[-1.0]], [[0.0]]]))
IMAGES = nn.Parameter(torch.linspace(-1, 1, 144).reshape(IMAGE))


# What is made of a module, operator by operator.
FUSED: dict[str, tuple[Callable[[], nn.Module], list[str]]] = {
    "convolution, batch norm, clamp": (lambda: trained(conv(), nn.BatchNorm2d(4), nn.ReLU6()), ["conv2d"]),
    "clamp in place": (lambda: nn.Sequential(conv(groups=4), nn.ReLU(inplace=True)), ["depthwise_conv2d"]),
    "factors and offsets": (
        lambda: Function(lambda m, x: F.relu(m[0](x) * SCALES - 0.3), conv()), ["conv2d"],
    ),
    "linear and batch norm": (lambda: normalized((2, 3)), ["reduce", "dense"]),
    "batch norm in front": (
        lambda: trained(nn.BatchNorm2d(4), nn.ReLU(), conv()), ["depthwise_conv2d", "conv2d"],
    ),
    "sum and clamp": (lambda: Function(lambda m, x: F.relu(x + m[0](x)), conv()), ["conv2d", "add"]),
    "hard swish by hand": (lambda: Function(lambda m, x: x * F.relu6(x + 3) / 6), ["lookup"]),
    "swish of a layer": (
        lambda: Function(lambda m, x: (y := m[0](x)) * torch.sigmoid(y), conv()), ["conv2d", "lookup"],
    ),
    "pixels moved": (
        lambda: Function(lambda m, x: m[1](F.max_pool2d(m[0](x), 2).flatten(1)), conv(), nn.Linear(36, 3)),
        ["conv2d", "max_pool2d", "dense"],
    ),
    "concatenation": (
        lambda: Function(lambda m, x: torch.cat([m[0](x), m[1](x)], 1), conv(), conv()),
        ["conv2d", "conv2d", "concatenate"],
    ),
    "greater of two": (
        lambda: Function(lambda m, x: torch.maximum(m[0](x), m[1](x)), conv(), conv()),
        ["conv2d", "conv2d", "extremum"],
    ),
    "squeeze and excite": (
        lambda: Function(lambda m, x: x * torch.sigmoid(m[0](F.adaptive_avg_pool2d(x, 1))), conv()),
        ["reduce", "conv2d", "lookup", "multiply"],
    ),
    "a layer used twice": (
        lambda: Function(lambda m, x: m[0](m[0](x).relu()), conv()), ["conv2d", "conv2d"],
    ),
    "a constant tensor": (lambda: Function(lambda m, x: m[0](x + IMAGES), conv()), ["add", "conv2d"]),
    "halves": (
        lambda: Function(lambda m, x: m[0](x.chunk(2, 1)[1]), conv(2)), ["strided_copy", "conv2d"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FUSED)
def test_a_kernel_computes_what_lies_between_two_quantizations(name: str) -> None:
    make, kinds = FUSED[name]
    torch.manual_seed(1)
    calibration = [random_case([IMAGE], seed) for seed in range(4)]
    program = quantize_program(make(), calibration[0], calibration)
    compiled = tinycc.compile(program)
    assert [step.operator.kind for step in compiled.plan.steps] == kinds
    histogram = output_steps(program, compiled, [random_case([IMAGE], seed) for seed in range(100, 103)])
    assert max(histogram) <= 1


def test_fixed_ranges_are_not_shared() -> None:
    """A concatenation cannot have the scales of sigmoid and tanh at once: it gets one of its own."""
    network = Function(lambda m, x: torch.cat([torch.sigmoid(x), torch.tanh(x), 3 * x], 1))
    calibration = [random_case([IMAGE], seed) for seed in range(4)]
    program = quantize_program(network, calibration[0], calibration)
    compiled = tinycc.compile(program)
    assert max(output_steps(program, compiled, calibration)) <= 1
    [output] = compiled.plan.edges.outputs
    assert output.scale is not None and output.scale > 3 / 128


def test_a_transformer_is_integers() -> None:
    """Its normalizations, products, softmax and GELU; what they round otherwise than torch adds up."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, activation="gelu", batch_first=True, norm_first=True)
    calibration = [random_case([(1, 9, 16)], seed) for seed in range(4)]
    program = quantize_program(layer, calibration[0], calibration)
    compiled = tinycc.compile(program)
    histogram = output_steps(program, compiled, [random_case([(1, 9, 16)], seed) for seed in range(100, 104)])
    assert max(histogram) <= 3 and histogram[0] > 0.95 * histogram.total()
    kinds = [step.operator.kind for step in compiled.plan.steps]
    assert [kinds.count(kind) for kind in ("layer_norm", "softmax", "add", "lookup")] == [2, 1, 2, 2]
    assert all(fallback["reason"].startswith("matmul") for fallback in compiled.report["fallbacks"])


def test_an_input_may_have_a_known_quantization() -> None:
    case = random_case([IMAGE], 0)
    network = nn.Sequential(conv(), nn.ReLU(), conv())
    compiled = tinycc.compile(quantize_program(network, case, [case], Quantizer(inputs=(0.25, -7))))
    [edge] = compiled.plan.edges.inputs
    assert (edge.scale, edge.zero_point) == (0.25, -7)


OPTIONS: dict[str, Quantizer] = {
    "one scale for all channels": Quantizer(per_channel=False),
    "mse": Quantizer(ranges="mse"),
    "percentile": Quantizer(ranges="percentile"),
    "moving average": Quantizer(ranges="moving-average"),
    "int4": Quantizer(weights="int4"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_layers_agree_with_torch(name: str) -> None:
    case = random_case([IMAGE], 0)
    program = quantize_program(nn.Sequential(conv(), nn.ReLU(), conv(groups=4)), case, [case], OPTIONS[name])
    compiled = tinycc.compile(program)
    for layer, histogram in layer_steps(program, compiled, random_case([IMAGE], 100)).items():
        assert max(histogram) <= 1, layer


def test_ranges_leave_out_what_is_rare() -> None:
    """One number of 200,000 is far out."""
    observer = PercentileObserver(dtype=torch.int8, quant_min=-128, quant_max=127)
    numbers = torch.linspace(-1, 1, 200_000)
    observer(torch.cat([numbers, torch.tensor([100.0])]))
    scale, zero_point = observer.calculate_qparams()
    # To within two of the 2,048 bins from -1 to 100.
    assert scale.item() == pytest.approx(2 / 255, abs=2 * 101 / 2048 / 255)
    assert zero_point.item() == pytest.approx(0, abs=8)


def test_activations_of_16_bits() -> None:
    case = random_case([IMAGE], 0)
    network = nn.Sequential(conv(), nn.ReLU(), conv(groups=4), nn.MaxPool2d(2))
    program = quantize_program(network, case, [case], Quantizer(activations="int16"))
    compiled = tinycc.compile(program)
    assert [output.dtype for output in compiled.plan.output_tensors] == ["int16"]
    assert not compiled.report["fallbacks"]
    [edge], [result] = compiled.plan.edges.outputs, compiled.run([case[0][None].numpy()])
    expected = program.module()(*case).detach().numpy() / edge.scale
    assert np.abs(result[0] - expected).max() <= 4


@pytest.mark.parametrize("keep", ["1", "Linear", nn.Linear])
def test_layers_that_are_kept_have_float_weights(keep: str | type[nn.Module]) -> None:
    network = nn.Sequential(nn.Linear(4, 5), nn.Sequential(nn.Linear(5, 3)), nn.ReLU())
    program = quantize_program(network, torch.ones(1, 4), [torch.ones(1, 4)], Quantizer(keep=[keep]))
    quantized = [node for node in program.graph.nodes if node.name.startswith("dequantize_per_channel")]
    assert len(quantized) == (1 if keep == "1" else 0)
    [clamp] = (node for node in program.graph.nodes if node.name.startswith("relu"))
    assert clamp.all_input_nodes[0].name.startswith("linear"), "quantized between a layer and its clamp"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": ["head"]}, "no layer of the name or type 'head'"),
        ({"activations": "int4"}, "activations = 'int4' is not known"),
        ({"ranges": "entropy"}, "ranges = 'entropy' is not known"),
        ({"weights": "int2"}, "weights = 'int2' is not known"),
        ({"keep": {"head": "int16"}}, "keep = 'int16' is not known"),
    ],
)
def test_options_that_are_not_known_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        quantize_program(nn.ReLU(), torch.ones(1, 4), [torch.ones(1, 4)], Quantizer(**options))


def largest_weights(program: torch.export.ExportedProgram) -> list[int]:
    """The largest magnitude among the integers of each layer's weights."""
    tensors = (*program.state_dict.values(), *program.constants.values())
    return [int(each.abs().max()) for each in tensors if each.dtype == torch.int8 and each.dim() > 1]


def test_weights_of_four_bits_but_for_a_layer_that_keeps_eight() -> None:
    case = random_case([IMAGE], 0)
    quantizer = Quantizer(weights="int4", keep={"0": "int8"})
    program = quantize_program(nn.Sequential(conv(), nn.ReLU(), conv(groups=4)), case, [case], quantizer)
    assert largest_weights(program) == [127, 7]


def test_training_with_weights_of_four_bits() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(conv(), nn.ReLU(), conv(groups=4), nn.Flatten(), nn.Linear(144, 3))
    images = torch.randn(8, *IMAGE[1:])
    shapes = ({0: torch.export.Dim("batch", min=2, max=64)},)
    exported = torch.export.export(network.train(), (images,), dynamic_shapes=shapes)
    prepared = prepare_qat_pt2e(exported.module(), Quantizer(is_qat=True, weights="int4"))
    optimizer = torch.optim.SGD(prepared.parameters(), 0.1)
    for _ in range(3):
        optimizer.zero_grad()
        prepared(images).square().sum().backward()
        optimizer.step()
    move_exported_model_to_eval(prepared)
    program = torch.export.export(convert_pt2e(prepared), (images[:1],))
    assert largest_weights(program) == [7, 7, 7]
    for layer, histogram in layer_steps(program, tinycc.compile(program), (images[:1],)).items():
        assert max(histogram) <= 1, layer


class Trained(nn.Module):
    """Every kind of layer that training treats apart.

    norm_1d, norm_2d: what stands behind each layer but the last, made for a number of channels.
    """

    def __init__(self, norm_1d: Callable[[int], nn.Module], norm_2d: Callable[[int], nn.Module]) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, 2, 1), norm_2d(8), nn.ReLU())
        self.depthwise = nn.Sequential(nn.Conv2d(8, 8, 3, 1, 1, groups=8), norm_2d(8), nn.ReLU6())
        self.pointwise = nn.Sequential(nn.Conv2d(8, 8, 1), norm_2d(8), nn.Hardswish())
        self.head = nn.Sequential(nn.Dropout(0.1), nn.Linear(16, 16), norm_1d(16), nn.ReLU())
        self.scores = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = torch.cat([x + self.pointwise(self.depthwise(x)), x], 1)
        return self.scores(self.head(F.max_pool2d(x, 2).mean((2, 3))))


def stripes(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy stripes in four directions, [count, 1, 12, 12], and which it is."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (count,), generator=generator)
    rows, columns = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
    waves = torch.stack([rows, columns, rows + columns, rows - columns]).mul(1.6).sin()
    return waves[labels][:, None] + 0.9 * torch.randn(count, 1, 12, 12, generator=generator), labels


def batches(images: torch.Tensor, labels: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    yield from zip(images.split(64), labels.split(64), strict=True)


# Batch norms cost torchao half a minute of matching patterns.
@pytest.mark.parametrize("has_norms", [False, *([True] if SLOW else [])])
def test_training_ends_in_the_integers_that_are_computed(has_norms: bool) -> None:
    torch.manual_seed(0)
    norms = (nn.BatchNorm1d, nn.BatchNorm2d) if has_norms else (nn.Identity, nn.Identity)
    images, labels = stripes(512, 0)
    shapes = ({0: torch.export.Dim("batch", min=2, max=4096)},)
    exported = torch.export.export(Trained(*norms).train(), (images[:2],), dynamic_shapes=shapes)
    prepared = prepare_qat_pt2e(exported.module(), Quantizer(is_qat=True))
    move_exported_model_to_train(prepared)
    optimizer = torch.optim.Adam(prepared.parameters(), 0.02)
    for _ in range(3):
        for batch, wanted in batches(images, labels):
            optimizer.zero_grad()
            F.cross_entropy(prepared(batch), wanted).backward()
            optimizer.step()
    move_exported_model_to_eval(prepared)
    converted = convert_pt2e(prepared)

    compiled = tinycc.compile(converted, example_inputs=images[:1])
    assert [step.operator.kind for step in compiled.plan.steps] == [
        "conv2d", "depthwise_conv2d", "conv2d", "lookup", "add", "concatenate", "max_pool2d", "reduce",
        "dense", "dense",
    ]  # fmt: skip
    program = torch.export.export(converted, (images[:1],))
    for layer, histogram in layer_steps(program, compiled, (images[:1],)).items():
        assert max(histogram) <= 1, layer

    images, labels = stripes(2000, 1)
    with torch.no_grad():
        torch_scores = converted(images).numpy()
    [scores] = compiled.run([images[:, None].numpy()])
    accuracies = [float((each.argmax(1) == labels.numpy()).mean()) for each in (torch_scores, scores[:, 0])]
    print(f"torch {accuracies[0]:.4f}, C {accuracies[1]:.4f}")
    assert accuracies[0] > 0.7
    assert abs(accuracies[0] - accuracies[1]) <= 0.002
