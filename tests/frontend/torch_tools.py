"""Small PT2E quantizers, and torch programs run beside the C that was compiled from them."""

from __future__ import annotations

import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torchao.quantization.pt2e import MinMaxObserver, PerChannelMinMaxObserver
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer import (
    QuantizationAnnotation,
    QuantizationSpec,
    Quantizer,
    SharedQuantizationSpec,
)

from tinycc.compiler import CompiledModel
from tinycc.run import run

aten = torch.ops.aten
WEIGHTED = {
    aten.conv1d.default, aten.conv2d.default, aten.conv2d.padding, aten.linear.default,
}  # fmt: skip
QUANTIZE = torch.ops.quantized_decomposed.quantize_per_tensor.default
DEQUANTIZE = torch.ops.quantized_decomposed.dequantize_per_tensor.default
CLAMPS = {aten.relu.default, aten.relu_.default, aten.relu6.default, aten.hardtanh.default}
# These keep the quantization of their operand.
SHARING = {
    aten.max_pool2d.default, aten.avg_pool2d.default, aten.flatten.using_ints, aten.view.default,
    aten.permute.default, aten.slice.Tensor, aten.dropout.default, aten.pad.default,
    aten.upsample_nearest2d.vec,
}  # fmt: skip
PLAIN = {
    aten.add.Tensor, aten.sub.Tensor, aten.mul.Tensor, aten.cat.default, aten.mean.dim,
    aten.adaptive_avg_pool2d.default, aten.hardswish.default, aten.sigmoid.default, aten.tanh.default,
    aten.softmax.int, aten.leaky_relu.default,
}  # fmt: skip


class EveryOperator(Quantizer):  # type: ignore[misc]
    """Annotates every operator of the sets above: per-channel weights, activations as given."""

    def __init__(self, dtype: torch.dtype = torch.int8, low: int = -128, high: int = 127) -> None:
        self._activation = QuantizationSpec(
            dtype, MinMaxObserver.with_args(eps=2**-12), low, high, qscheme=torch.per_tensor_affine
        )
        observer = PerChannelMinMaxObserver.with_args(eps=2**-12)
        self._weights = QuantizationSpec(
            torch.int8, observer, -127, 127, qscheme=torch.per_channel_symmetric, ch_axis=0
        )

    def annotate(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
        """The last of an operator and its clamps gives the integers."""
        for node in model.graph.nodes:
            if node.target in SHARING:
                source = node.args[0]
                self._set(node, {source: self._shared(source)}, SharedQuantizationSpec((source, node)))
            elif node.target in WEIGHTED | PLAIN:
                specs = dict.fromkeys(node.all_input_nodes, self._activation)
                if node.target in WEIGHTED:
                    specs = {node.args[0]: self._activation, node.args[1]: self._weights}
                last = node
                while len(last.users) == 1 and next(iter(last.users)).target in CLAMPS:
                    last = next(iter(last.users))
                self._set(node, specs, self._activation if last is node else None)
                if last is not node:
                    self._set(last, {}, self._activation)
        return model

    def _shared(self, source: torch.fx.Node) -> Any:
        is_quantized = source.meta.get("quantization_annotation") is not None
        return SharedQuantizationSpec(source) if is_quantized else self._activation

    @staticmethod
    def _set(node: torch.fx.Node, inputs: dict[torch.fx.Node, Any], output: Any) -> None:
        node.meta["quantization_annotation"] = QuantizationAnnotation(
            input_qspec_map=inputs, output_qspec=output, _annotated=True
        )

    def validate(self, model: torch.fx.GraphModule) -> None:
        """Nothing to check."""


def xnnpack() -> Quantizer:
    """The quantizer that torchao's own tests use; ExecuTorch has its successor."""
    from torchao.testing.pt2e._xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

    return XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))


def random_case(shapes: list[tuple[int, ...]], seed: int) -> tuple[torch.Tensor, ...]:
    """Normally distributed inputs."""
    generator = torch.Generator().manual_seed(seed)
    return tuple(torch.randn(shape, generator=generator) for shape in shapes)


def quantized_program(
    module: torch.nn.Module,
    shapes: list[tuple[int, ...]],
    quantizer: Quantizer,
    cases: Callable[[int], tuple[torch.Tensor, ...]] | None = None,
    fold_quantize: bool = True,
) -> torch.export.ExportedProgram:
    """`module` quantized with PT2E, calibrated on eight cases, and exported again."""
    case = cases or (lambda seed: random_case(shapes, seed))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(module.eval(), case(0)).module()
        prepared = prepare_pt2e(exported, quantizer)
        for seed in range(8):
            prepared(*case(seed))
        converted = convert_pt2e(prepared, fold_quantize=fold_quantize)
        return torch.export.export(converted, case(0))


def torch_outputs(
    program: torch.export.ExportedProgram, inputs: tuple[torch.Tensor, ...]
) -> list[np.ndarray]:
    """The results of the torch program for one case."""
    with torch.no_grad():
        result = program.module()(*inputs)
    return [value.numpy() for value in ([result] if isinstance(result, torch.Tensor) else result)]


def on_grid(compiled: CompiledModel, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """The inputs moved to the nearest number that has an integer, so that no rounding of ties can differ."""
    scales = [edge.scale for edge in compiled.plan.edges.inputs]
    return tuple(
        (value / (scale or 1)).round() * (scale or 1) for value, scale in zip(inputs, scales, strict=True)
    )


def output_steps(
    program: torch.export.ExportedProgram, compiled: CompiledModel, inputs: list[tuple[torch.Tensor, ...]]
) -> Counter[int]:
    """How often outputs of the C differ from those of the torch program by how many steps."""
    inputs = [on_grid(compiled, case) for case in inputs]
    stacked = [np.stack([case[index].numpy() for case in inputs]) for index in range(len(inputs[0]))]
    results = compiled.run(stacked)
    histogram: Counter[int] = Counter()
    for number, case in enumerate(inputs):
        for edge, expected, result in zip(
            compiled.plan.edges.outputs, torch_outputs(program, case), results, strict=True
        ):
            wanted = np.rint(expected / np.float32(edge.scale)) + edge.zero_point
            integers = result[number].astype(np.int64)
            histogram.update(np.abs(np.clip(wanted, -128, 127) - integers).astype(int).ravel().tolist())
    return histogram


def layer_steps(
    program: torch.export.ExportedProgram, compiled: CompiledModel, inputs: tuple[torch.Tensor, ...]
) -> dict[str, Counter[int]]:
    """For each operator of the C, how far its output is from torch's on the very same operands."""
    inputs = on_grid(compiled, inputs)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "model"
        compiled.export(folder)
        traced = run(folder, "host", [value.numpy()[None] for value in inputs], trace=True)
    assert traced.layers is not None
    walk = _SameOperands(program.module(), compiled, traced.layers[0])
    with torch.no_grad():
        walk.run(*inputs)
    left = [name for waiting in walk.pending.values() for name, _ in waiting]
    assert not left, f"without a counterpart in torch: {left}"
    return walk.histograms


class _SameOperands(torch.fx.Interpreter):
    """Runs a torch program, replacing each quantized tensor by what the C computed once it is compared.

    Tensors are found by their quantization, those that share one by their order.
    """

    def __init__(
        self, module: torch.fx.GraphModule, compiled: CompiledModel, layers: list[np.ndarray]
    ) -> None:
        super().__init__(module)
        plan = compiled.plan
        self.histograms: dict[str, Counter[int]] = {}
        self.pending: dict[tuple[np.float32, int], list[tuple[str, np.ndarray]]] = {}
        schemes: dict[str | None, tuple[Any, int]] = {
            name: (edge.scale, edge.zero_point)
            for name, edge in zip(plan.inputs, plan.edges.inputs, strict=True)
        }
        for step, layer in zip(plan.steps, layers, strict=True):
            output = step.operator.outputs[0]
            own = (output.scale, output.zero_point)
            scheme = schemes[step.inputs[0]] if output.scale is None else own
            schemes[step.outputs[0]] = scheme
            key = (np.float32(scheme[0]), scheme[1])
            # Torch may quantize before a pad, or after, or both; it clamps an input as it quantizes it.
            is_clamp = step.operator.kind == "lookup" and output.scale is None
            if step.operator.kind != "pad" and not is_clamp:
                self.pending.setdefault(key, []).append((step.name, layer))

    def run_node(self, n: torch.fx.Node) -> Any:
        """Compare and replace what a quantize gives."""
        result = super().run_node(n)
        args: Any = n.args
        if n.target is not QUANTIZE or args[0].op == "placeholder":
            return result
        if _changes_nothing(n) or _is_clamped_next(n):
            return result
        shift = 128 if args[5] is torch.uint8 else 0
        waiting = self.pending.get((np.float32(args[1]), int(args[2]) - shift))
        if not waiting:
            return result
        name, layer = waiting.pop(0)
        is_image = layer.ndim == 4 and result.dim() == 4
        channels_first = layer.transpose(0, 3, 1, 2) if is_image else layer
        integers = torch.from_numpy(channels_first.astype(np.int64)) + shift
        if args[0].target is aten.pad.default and integers.numel() < result.numel():
            # The C has requantized first, and pads within the layer that follows.
            integers = torch.nn.functional.pad(integers, args[0].args[1], value=args[2])
        integers = integers.reshape(result.shape)
        difference = (result.to(torch.int64) - integers).abs()
        self.histograms[name] = Counter(difference.flatten().tolist())
        return integers.to(result.dtype)


def _is_clamped_next(node: Any) -> bool:
    """Whether what a quantize gives is only clamped and quantized again in the same way."""
    chain = [node]
    while len(chain) < 4 and len(chain[-1].users) == 1:
        chain.append(next(iter(chain[-1].users)))
    if len(chain) < 4 or chain[1].target is not DEQUANTIZE or chain[2].target not in CLAMPS:
        return False
    return chain[3].target is QUANTIZE and chain[3].args[1:3] == node.args[1:3]


def _changes_nothing(node: Any) -> bool:
    """Whether a quantize undoes a dequantize of the same quantization, reshaped or not."""
    source = node.args[0]
    while source.target in (aten.flatten.using_ints, aten.view.default, aten.dropout.default):
        source = source.args[0]
    return source.target is DEQUANTIZE and source.args[1:3] == node.args[1:3]
