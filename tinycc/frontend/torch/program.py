"""Reading a torch.export program: its constants, and the arguments of its nodes by name."""

from typing import Any

import numpy as np
import torch
from torch.export.graph_signature import InputKind, OutputKind

from tinycc.errors import UnsupportedError

QUANTIZE = "quantized_decomposed.quantize_per_"
DEQUANTIZE = "quantized_decomposed.dequantize_per_"

# Where the metadata of a placeholder has the array of a constant.
CONSTANT = "tinycc.constant"
# Integer types of PT2E: what they are stored as, and the shift that takes.
STORED_TYPES = {
    torch.int8: ("int8", 0),
    torch.uint8: ("int8", 128),
    torch.int16: ("int16", 0),
    torch.int32: ("int32", 0),
}


def operator(node: torch.fx.Node) -> str:
    """What a node calls, e.g. "aten.conv2d.default"; "" for inputs, constants and the output."""
    return str(node.target) if node.op == "call_function" else ""


def title(node: torch.fx.Node) -> str:
    """How a node is named in messages."""
    kind = operator(node).split(".")
    return f"{kind[1] if len(kind) > 1 else node.op} {node.name!r}"


def is_quantize(node: torch.fx.Node) -> bool:
    """Whether a node makes integers of real numbers."""
    return operator(node).startswith(QUANTIZE)


def is_dequantize(node: torch.fx.Node) -> bool:
    """Whether a node makes real numbers of integers."""
    return operator(node).startswith(DEQUANTIZE)


def arguments(node: torch.fx.Node) -> dict[str, Any]:
    """The arguments of a node by the names of the operator's schema, defaults filled in."""
    schema = node.target._schema.arguments  # type: ignore[union-attr]
    values = {argument.name: argument.default_value for argument in schema if argument.has_default_value()}
    values |= {argument.name: value for argument, value in zip(schema, node.args, strict=False)}
    return values | dict(node.kwargs)


def shape_of(node: torch.fx.Node) -> tuple[int, ...]:
    """The static shape of a node's tensor."""
    return tuple(int(size) for size in node.meta["val"].shape)


def user_inputs(program: torch.export.ExportedProgram) -> list[torch.fx.Node]:
    """The placeholders of the module's inputs, in order."""
    names = [
        spec.arg.name for spec in program.graph_signature.input_specs if spec.kind is InputKind.USER_INPUT
    ]
    placeholders = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    return [placeholders[name] for name in names]


def user_outputs(program: torch.export.ExportedProgram) -> list[torch.fx.Node]:
    """The nodes that the module returns, in order; UnsupportedError where it also changes its buffers."""
    nodes = {node.name: node for node in program.graph.nodes}
    outputs = []
    for spec in program.graph_signature.output_specs:
        if spec.kind is not OutputKind.USER_OUTPUT:
            raise UnsupportedError(
                f"the torch module changes {spec.target!r}; modules with state are not supported"
            )
        if getattr(spec.arg, "name", None) not in nodes:
            raise UnsupportedError(f"the torch module returns {spec.arg}, which is not a tensor it computes")
        outputs.append(nodes[spec.arg.name])
    return outputs


def constants_of(program: torch.export.ExportedProgram) -> dict[str, np.ndarray]:
    """Parameters, buffers and lifted constants by the name of their placeholder."""
    stored = {**program.constants, **program.state_dict}
    return {
        spec.arg.name: stored[spec.target].detach().cpu().numpy()
        for spec in program.graph_signature.input_specs
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR)
    }
