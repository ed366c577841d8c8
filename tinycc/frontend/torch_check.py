"""What a torch.export program must be like before it is imported; every refusal names its node."""

from collections.abc import Iterator

import torch

from tinycc.errors import UnsupportedError
from tinycc.frontend.torch_program import (
    QUANTIZE,
    arguments,
    is_dequantize,
    is_quantize,
    operator,
    title,
    user_inputs,
    user_outputs,
)

QUANTIZE_FIRST = (
    "quantize it with PT2E first (prepare_pt2e, calibration, convert_pt2e) and export the converted module"
)

# Computed on real numbers, between dequantize and quantize.
ARITHMETIC = {
    "aten.conv1d.default", "aten.conv1d.padding", "aten.conv2d.default", "aten.conv2d.padding",
    "aten.conv_transpose2d.input", "aten.linear.default",
    "aten.add.Tensor", "aten.sub.Tensor", "aten.mul.Tensor", "aten.div.Tensor",
    "aten.maximum.default", "aten.minimum.default",
    "aten.avg_pool1d.default", "aten.avg_pool2d.default",
    "aten.adaptive_avg_pool1d.default", "aten.adaptive_avg_pool2d.default", "aten.mean.dim",
    "aten.sum.dim_IntList", "aten.softmax.int", "aten._softmax.default", "aten.sigmoid.default",
    "aten.tanh.default", "aten.leaky_relu.default", "aten.hardswish.default", "aten.hardsigmoid.default",
    "aten.silu.default", "aten.gelu.default", "aten.abs.default",
}  # fmt: skip
CLAMPS = {"aten.relu.default", "aten.relu6.default", "aten.hardtanh.default", "aten.clamp.default"}
WEIGHTED = {name for name in ARITHMETIC if "conv" in name or "linear" in name}
# Results of these lie in a known range, for which int8 has a scale and zero point by convention (TFLite's).
FIXED_RANGES = {
    "aten.softmax.int": (1 / 256, -128),
    "aten._softmax.default": (1 / 256, -128),
    "aten.sigmoid.default": (1 / 256, -128),
    "aten.tanh.default": (1 / 128, 0),
}
# These move or choose elements, so quantization may stand on either side of them.
MOVING = {
    "aten.view.default", "aten._unsafe_view.default", "aten.reshape.default", "aten.flatten.using_ints",
    "aten.permute.default",
    "aten.transpose.int", "aten.squeeze.default", "aten.squeeze.dim", "aten.squeeze.dims",
    "aten.unsqueeze.default", "aten.cat.default", "aten.slice.Tensor", "aten.select.int", "aten.split.Tensor",
    "aten.split_with_sizes.default", "aten.chunk.default", "aten.constant_pad_nd.default",
    "aten.pad.default", "aten.max_pool1d.default", "aten.max_pool2d.default",
    "aten.upsample_nearest2d.vec", "aten.dropout.default", "aten.clone.default", "aten.contiguous.default",
    "aten.detach.default", "aten.alias.default",
}  # fmt: skip
GETITEM = "<built-in function getitem>"
QUANTIZATIONS = {
    f"quantized_decomposed.{name}"
    for name in (
        "quantize_per_tensor.default", "quantize_per_tensor.tensor", "quantize_per_tensor.tensor2",
        "quantize_per_channel.default", "dequantize_per_tensor.default", "dequantize_per_tensor.tensor",
        "dequantize_per_tensor.tensor2", "dequantize_per_channel.default",
    )
}  # fmt: skip


def check_program(program: torch.export.ExportedProgram) -> None:
    """Raise UnsupportedError, in one line, for a program that cannot be imported."""
    for node in user_inputs(program):
        _check_input(node)
    nodes = [node for node in program.graph.nodes if node.op == "call_function"]
    user_outputs(program)
    if not any(operator(node).startswith(QUANTIZE) or is_dequantize(node) for node in nodes):
        raise UnsupportedError(f"the torch program computes with floating-point numbers: {QUANTIZE_FIRST}")
    for node in nodes:
        _check_operator(node)
    inputs = set(user_inputs(program))
    for node in nodes:
        if operator(node) in ARITHMETIC:
            _check_is_quantized(node, inputs)


def _check_input(node: torch.fx.Node) -> None:
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        raise UnsupportedError(f"input {node.name!r} of the torch program is not a tensor")
    for axis, size in enumerate(value.shape):
        if not isinstance(size, int):
            raise UnsupportedError(
                f"dimension {axis} of input {node.name!r} is dynamic; export with fixed shapes"
            )
    if value.dtype not in (torch.float32, torch.int8, torch.uint8, torch.int16):
        raise UnsupportedError(
            f"input {node.name!r} has the type {value.dtype}; export the torch module with float32 inputs"
        )
    if value.dim() > 1 and value.shape[0] != 1:
        raise UnsupportedError(
            f"input {node.name!r} has a batch of {value.shape[0]}; export the torch module with batch 1"
        )


def _check_operator(node: torch.fx.Node) -> None:
    name = operator(node)
    if name in ARITHMETIC | CLAMPS | MOVING | QUANTIZATIONS or name == GETITEM:
        return
    if "choose_qparams" in name:
        raise UnsupportedError(
            f"{title(node)}: scales chosen at run time are not supported; quantize statically"
        )
    if "batch_norm" in name:
        raise UnsupportedError(
            f"{title(node)} stands alone: PT2E folds it into a convolution just before it, "
            "in a module exported after .eval()"
        )
    raise UnsupportedError(f"{title(node)}: {name} is not supported")


def _check_is_quantized(node: torch.fx.Node, inputs: set[torch.fx.Node]) -> None:
    """The operands of `node` must come from integers, and its result must become integers."""
    for operand in node.all_input_nodes:
        for source in sources_of(operand):
            if source in inputs:
                raise UnsupportedError(
                    f"{title(node)} reads input {source.name!r} as floating-point numbers: {QUANTIZE_FIRST}"
                )
    weight = arguments(node)["weight"] if operator(node) in WEIGHTED else None
    if weight is not None and not all(is_dequantize(source) for source in sources_of(weight)):
        raise UnsupportedError(
            f"the weights of {title(node)} are not quantized: let the quantizer annotate each use of them"
        )
    for reader in readers(node):
        if reader.op == "output":
            if operator(node) in FIXED_RANGES:
                continue
            raise UnsupportedError(
                f"{title(node)} gives floating-point numbers as a result of the module: "
                "let the quantizer annotate its output, or leave it out of the module"
            )
        if not is_quantize(reader):
            raise UnsupportedError(
                f"{title(reader)} reads the result of {title(node)} as floating-point numbers: "
                "let the quantizer annotate the output of each operator"
            )


def has_fixed_range(node: torch.fx.Node) -> bool:
    """Whether `node` gives real numbers of a known range as a result of the module."""
    return operator(node) in FIXED_RANGES and any(reader.op == "output" for reader in readers(node))


def sources_of(node: torch.fx.Node) -> Iterator[torch.fx.Node]:
    """Where the numbers of `node` come from, seen through what moves or clamps them."""
    if operator(node) in CLAMPS | MOVING or operator(node) == GETITEM:
        for operand in node.all_input_nodes:
            yield from sources_of(operand)
    else:
        yield node


def readers(node: torch.fx.Node) -> Iterator[torch.fx.Node]:
    """What reads the result of `node`, seen through what moves or clamps it."""
    for reader in node.users:
        if operator(reader) in CLAMPS | MOVING or operator(reader) == GETITEM:
            yield from readers(reader)
        else:
            yield reader
