"""A torch.export program, read once, for what checks it, imports it and says what its edges are."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.export.graph_signature import InputKind, OutputKind

from tinycc.errors import UnsupportedError
from tinycc.frontend.torch.nodes import GETITEM, is_dequantize, operator
from tinycc.frontend.torch.operators import CLAMPS, FIXED_RANGES, MOVING

# Where the metadata of a placeholder has the array of a constant.
CONSTANT = "tinycc.constant"
_STORED = (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR)
_SEEN_THROUGH = {*CLAMPS, *MOVING, GETITEM}


@dataclass(frozen=True, eq=False)
class TorchProgram:
    """What a program takes, gives, holds and calls, each in the program's order.

    exported: the program itself, as TVM's importer wants it.
    inputs, outputs: the placeholders of the module's inputs, and the nodes that it returns.
    constants: parameters, buffers and lifted constants by the names of their placeholders.
    calls: the nodes that call operators.
    """

    exported: torch.export.ExportedProgram
    inputs: tuple[torch.fx.Node, ...]
    outputs: tuple[torch.fx.Node, ...]
    constants: dict[str, np.ndarray]
    calls: tuple[torch.fx.Node, ...]


def read_program(exported: torch.export.ExportedProgram) -> TorchProgram:
    """Read a program; the placeholders of its constants get these as their metadata.

    Raises UnsupportedError where the module changes its buffers, or returns what it does not compute.
    """
    nodes = {node.name: node for node in exported.graph.nodes}
    stored = {**exported.constants, **exported.state_dict}
    specs = exported.graph_signature.input_specs
    constants = {
        spec.arg.name: stored[spec.target].detach().cpu().numpy() for spec in specs if spec.kind in _STORED
    }
    for name, value in constants.items():
        nodes[name].meta[CONSTANT] = value
    return TorchProgram(
        exported,
        inputs=tuple(nodes[spec.arg.name] for spec in specs if spec.kind is InputKind.USER_INPUT),
        outputs=tuple(_outputs(exported, nodes)),
        constants=constants,
        calls=tuple(node for node in nodes.values() if node.op == "call_function"),
    )


def without_idle_states(exported: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """The program, changed where it is, without the buffers that no result depends on, such as counters."""
    specs = exported.graph_signature.output_specs
    [output] = (node for node in exported.graph.nodes if node.op == "output")
    [returned] = output.args
    results = [
        node for node, spec in zip(returned, specs, strict=True) if spec.kind is OutputKind.USER_OUTPUT
    ]
    needed: set[torch.fx.Node] = set()
    waiting = [node for node in results if isinstance(node, torch.fx.Node)]
    while waiting:
        node = waiting.pop()
        waiting += [source for source in node.all_input_nodes if source not in needed]
        needed.add(node)
    names = {node.name for node in needed}
    buffers = {spec.target: spec.arg.name for spec in exported.graph_signature.input_specs if spec.target}
    kept = [
        spec.kind is not OutputKind.BUFFER_MUTATION or buffers.get(spec.target) in names for spec in specs
    ]
    if not all(kept):
        output.args = (tuple(node for node, keep in zip(returned, kept, strict=True) if keep),)
        exported.graph_signature.output_specs = [spec for spec, keep in zip(specs, kept, strict=True) if keep]
        exported.graph.eliminate_dead_code()
        exported.graph_module.recompile()
    return exported


def _outputs(
    exported: torch.export.ExportedProgram, nodes: dict[str, torch.fx.Node]
) -> Iterator[torch.fx.Node]:
    for spec in exported.graph_signature.output_specs:
        if spec.kind is not OutputKind.USER_OUTPUT:
            raise UnsupportedError(
                f"the torch module changes {spec.target!r}: let it take and return that, and pair the two "
                "(states={input: output})"
            )
        name = getattr(spec.arg, "name", None)
        if name not in nodes:
            raise UnsupportedError(f"the torch module returns {spec.arg}, which is not a tensor it computes")
        yield nodes[name]


def sources_of(node: torch.fx.Node) -> Iterator[torch.fx.Node]:
    """Where the numbers of `node` come from, seen through what moves or clamps them."""
    if operator(node) in _SEEN_THROUGH:
        for operand in node.all_input_nodes:
            yield from sources_of(operand)
    else:
        yield node


def readers(node: torch.fx.Node) -> Iterator[torch.fx.Node]:
    """What reads the result of `node`, seen through what moves or clamps it."""
    for reader in node.users:
        if operator(reader) in _SEEN_THROUGH:
            yield from readers(reader)
        else:
            yield reader


def has_fixed_range(node: torch.fx.Node) -> bool:
    """Whether `node` gives real numbers of a known range as a result of a module that has quantized ones."""
    is_result = operator(node) in FIXED_RANGES and any(reader.op == "output" for reader in readers(node))
    return is_result and any(is_dequantize(each) for each in node.graph.nodes)
