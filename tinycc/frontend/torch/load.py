"""PyTorch programs quantized with PT2E (torch.export, torchao) in the normal form."""

import warnings

import torch
import tvm

from tinycc import tvm_adapter
from tinycc.edges import Edge, Edges, with_edges
from tinycc.errors import ModelError, TinyccError
from tinycc.frontend.torch.attention import ATTENTION, FILLING, attention_as_products
from tinycc.frontend.torch.check import check_program, refuse_what_torch_refuses
from tinycc.frontend.torch.importer import import_torch
from tinycc.frontend.torch.nodes import operator, shape_of
from tinycc.frontend.torch.program import TorchProgram, read_program, without_idle_states
from tinycc.frontend.torch.unsigned import with_signed_inputs
from tinycc.passes.to_normal_form import ToNormalForm


def load_torch(program: torch.export.ExportedProgram, allow_float: bool = False) -> tvm.IRModule:
    """The Relax module of an exported program, in the normal form of docs/design.md.

    program: torch.export.export of the module that convert_pt2e returned, with fixed shapes and batch 1.

    Raises UnsupportedError, naming the node, for a program that is not quantized throughout or uses what
    tinycc does not do; ModelError for one that TVM's importer cannot read.
    """
    try:
        refuse_what_torch_refuses(program.graph_module)
        program = _without_attention(program)
        read = read_program(without_idle_states(_functional(program)))
        check_program(read, allow_float)
        module = import_torch(read)
    except TinyccError:
        raise
    except Exception as error:  # whatever a program of other operators makes the importer stumble over
        raise ModelError(f"the torch program cannot be imported: {_first_line(error)}") from error
    module = with_signed_inputs(module)
    main = with_edges(module["main"], _edges(read))
    module.update_func(module.get_global_var("main"), main)
    return tvm_adapter.run_passes([ToNormalForm(allow_float)], module)


def _without_attention(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """The program with products in place of attention and its masks, where it has any."""
    if not any(operator(node) in (ATTENTION, FILLING) for node in program.graph.nodes):
        return program
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        return torch.export.export(attention_as_products(program.module()), *program.example_inputs)


def _functional(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    """The program without in-place operators; an empty table of decompositions leaves its layers whole."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return program.run_decompositions({})


def _edges(program: TorchProgram) -> Edges:
    """Inputs and outputs as in the program; quantization is filled in once edges become integers."""

    def edge(node: torch.fx.Node) -> Edge:
        return Edge(node.name, str(node.meta["val"].dtype).removeprefix("torch."), shape_of(node))

    return Edges(tuple(map(edge, program.inputs)), tuple(map(edge, program.outputs)))


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
