"""What a torch.export program must be like before it is imported; every refusal names its node."""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor

from tinycc.errors import TinyccError, UnsupportedError
from tinycc.frontend.numbers import check_numbers
from tinycc.frontend.torch.nodes import (
    GETITEM,
    QUANTIZATIONS,
    arguments,
    is_dequantize,
    is_quantize,
    operator,
    title,
)
from tinycc.frontend.torch.operators import (
    ARITHMETIC,
    BATCH_NORMS,
    FIXED_RANGES,
    OPERATORS,
    WEIGHTED,
    check_arguments,
)
from tinycc.frontend.torch.program import TorchProgram, readers, sources_of

QUANTIZE_FIRST = (
    "quantize it with PT2E first (prepare_pt2e, calibration, convert_pt2e) and export the converted module"
)

INPUT_TYPES = (torch.float32, torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)

FAKE_TENSORS = "torch._subclasses.fake_tensor"


def check_program(program: TorchProgram, allow_float: bool = False) -> None:
    """Raise UnsupportedError, in one line, for a program that cannot be imported.

    ModelError for weights that are no numbers.

    allow_float: whether layers may compute with floating-point numbers.
    """
    check_numbers(program.constants.items(), weights=_weights(program))
    for node in program.inputs:
        _check_input(node)
    for node in program.calls:
        _check_operator(node)
    if not allow_float and not any(is_quantize(node) or is_dequantize(node) for node in program.calls):
        raise UnsupportedError(f"the torch program computes with floating-point numbers: {QUANTIZE_FIRST}")
    for node in program.calls:
        if operator(node) in ARITHMETIC and not allow_float:
            _check_is_quantized(node, program)


def _weights(program: TorchProgram) -> set[str]:
    """The names of constants that are weights: parameters, and operands of layers but their input."""
    layers = [node for node in program.calls if operator(node) in (*WEIGHTED, *BATCH_NORMS)]
    operands = {operand.name for node in layers for operand in node.all_input_nodes[1:]}
    return operands.union(program.exported.graph_signature.inputs_to_parameters)


def refuse_what_torch_refuses(program: torch.fx.GraphModule) -> None:
    """UnsupportedError, naming the node, where torch itself cannot run the program on its own shapes."""
    values = [node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"]
    modes = [value.fake_mode for value in values if isinstance(value, FakeTensor)]
    with _quiet(FAKE_TENSORS), modes[0] if modes else contextlib.nullcontext(), torch.no_grad():
        replay = _Replay(program, garbage_collect_values=False)
        replay.extra_traceback = False  # it would go into the message
        replay.run(*values, enable_io_processing=False)


@contextlib.contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Without what a logger writes: torch logs a traceback of what it then raises."""
    logger = logging.getLogger(name)
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


class _Replay(torch.fx.Interpreter):
    """Runs a program on tensors without numbers."""

    def run_node(self, n: torch.fx.Node) -> Any:
        """Name the node that fails."""
        try:
            return super().run_node(n)
        except TinyccError:
            raise
        except Exception as error:  # whatever torch raises
            lines = str(error).strip().splitlines() or [type(error).__name__]
            raise UnsupportedError(f"{title(n)}: torch refuses it: {lines[0]}") from error


def _check_input(node: torch.fx.Node) -> None:
    value = node.meta.get("val")
    if not isinstance(value, torch.Tensor):
        raise UnsupportedError(f"input {node.name!r} of the torch program is not a tensor")
    for axis, size in enumerate(value.shape):
        if not isinstance(size, int):
            raise UnsupportedError(
                f"dimension {axis} of input {node.name!r} is dynamic; export with fixed shapes"
            )
    if value.dtype not in INPUT_TYPES:
        raise UnsupportedError(
            f"input {node.name!r} has the type {value.dtype}; export the torch module with float32 inputs, "
            "or with int32 or int64 where they are indices"
        )
    if value.dim() > 1 and value.shape[0] != 1:
        raise UnsupportedError(
            f"input {node.name!r} has a batch of {value.shape[0]}; export the torch module with batch 1"
        )


def _check_operator(node: torch.fx.Node) -> None:
    name = operator(node)
    if name in OPERATORS:
        return check_arguments(node)
    if name in QUANTIZATIONS or name == GETITEM:
        return None
    if "choose_qparams" in name:
        raise UnsupportedError(
            f"{title(node)}: scales chosen at run time are not supported; quantize statically"
        )
    if "batch_norm" in name:
        raise UnsupportedError(
            f"{title(node)} normalizes by the statistics of a batch: export the module after .eval(), or "
            "move the prepared one to evaluation before convert_pt2e (move_exported_model_to_eval)"
        )
    raise UnsupportedError(f"{title(node)}: {name} is not supported")


def _check_is_quantized(node: torch.fx.Node, program: TorchProgram) -> None:
    """The operands of `node` must come from integers, and its result must become integers.

    In between there may be other arithmetic, but no layer with weights.
    """
    for operand in node.all_input_nodes:
        for source in sources_of(operand):
            if source in program.inputs:
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
        if operator(reader) in WEIGHTED:
            raise UnsupportedError(
                f"{title(reader)} reads the result of {title(node)} as floating-point numbers: "
                "let the quantizer annotate the output of each operator"
            )
