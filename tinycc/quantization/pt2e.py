"""A float torch module becomes a torch.export program of integers, by torchao's PT2E and tinycc's quantizer.

Post-training: export, prepare, calibrate, convert. For training see `tinycc.torch.Quantizer`.
"""

import contextlib
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from tinycc.errors import InputDataError, ModelError, TinyccError
from tinycc.frontend.torch.program import without_idle_states
from tinycc.torch import Quantizer

Case = tuple[torch.Tensor, ...]


def quantize_program(
    module: torch.nn.Module,
    example_inputs: Case | torch.Tensor,
    calibration: Iterable[Any],
    quantizer: Quantizer | None = None,
) -> torch.export.ExportedProgram:
    """The module with int8 weights and activations, as `tinycc.compile` takes it.

    module: float32, as it is in evaluation; it stays as it is. Batch norms are folded.
    example_inputs: float32 tensors of the shapes that the program will have, in torch's layout, batch 1.
    calibration: cases, each a tensor or a tuple of tensors (or numpy arrays) shaped like `example_inputs`, or
        batches of these, the batch's size in place of the 1.
    quantizer: how it is quantized, by default `tinycc.torch.Quantizer()`.

    Raises ModelError for a module that torch.export or PT2E cannot take, or with weights that are not finite;
    InputDataError for calibration data that do not fit; what `quantizer` raises.
    """
    example = _as_case("example_inputs", example_inputs)
    exported = export_module(module, example)
    with quietly(), torch.no_grad():
        with _refusing("PT2E cannot quantize the torch module"):
            # Functional, as a copy in between would part an operator from the tensor that it writes over.
            program = without_idle_states(exported.run_decompositions({}))
            prepared = prepare_pt2e(program.module(), quantizer or Quantizer())
        for case in _cases(calibration, example):
            with _refusing("the torch module cannot be run on calibration data"):
                prepared(*case)
        with _refusing("PT2E cannot quantize the torch module"):
            return torch.export.export(convert_pt2e(prepared), example)


def export_module(
    module: torch.nn.Module, example_inputs: Case | torch.Tensor
) -> torch.export.ExportedProgram:
    """The module as it is in evaluation, exported for inputs of these shapes; it stays as it is.

    Raises ModelError where torch.export cannot, or for weights that are not finite.
    """
    _check_weights(module)
    modes = {each: each.training for each in module.modules()}
    try:
        with quietly(), torch.no_grad(), _refusing("torch.export cannot take the module"):
            # An exported module has its mode in its operators, and refuses to be told.
            evaluated = module if isinstance(module, torch.fx.GraphModule) else module.eval()
            return torch.export.export(evaluated, _as_case("example_inputs", example_inputs))
    finally:
        for each, mode in modes.items():
            each.training = mode


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without the warnings of torch and torchao about themselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _refusing(what: str) -> Iterator[None]:
    """ModelError, in one line, for whatever torch raises."""
    try:
        yield
    except TinyccError:
        raise
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        why = lines[0] if lines else type(error).__name__
        if "data-dependent" in why:
            why = f"its control flow or shapes depend on the data; use torch.where, or fixed sizes ({why})"
        raise ModelError(f"{what}: {why}") from error


def _check_weights(module: torch.nn.Module) -> None:
    """ModelError for weights that are not finite, or a buffer that holds NaN (a mask may be infinite).

    The statistics of a batch normalization are weights, too.
    """
    tensors = [*module.named_parameters(), *module.named_buffers()]
    norms = [layer for layer in module.modules() if isinstance(layer, torch.nn.modules.batchnorm._NormBase)]
    statistics = {id(buffer) for norm in norms for buffer in norm.buffers(recurse=False)}
    for name, tensor in tensors:
        if tensor.is_meta:
            raise ModelError(f"the weights {name!r} are on the device 'meta': load them first")
        is_weight = isinstance(tensor, torch.nn.Parameter) or id(tensor) in statistics
        bad = ~torch.isfinite(tensor) if is_weight else torch.isnan(tensor)
        if bool(bad.any()):
            raise ModelError(f"the weights {name!r} hold NaN or infinity: train the module again")


def _as_case(where: str, inputs: Any) -> Case:
    """One tensor or several, torch's or numpy's, as a tuple of torch's."""
    given = tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,)
    for each in given:
        if not isinstance(each, torch.Tensor | np.ndarray):
            raise InputDataError(
                f"{where}: a {type(each).__name__} where a tensor or a tuple of them is wanted"
            )
    return tuple(torch.as_tensor(each) for each in given)


def _cases(calibration: Iterable[Any], example: Case) -> Iterator[Case]:
    """The cases one after the other, batches taken apart; InputDataError for what does not fit."""
    if isinstance(calibration, torch.Tensor | np.ndarray):
        calibration = [calibration]
    if not isinstance(calibration, Iterable):
        raise InputDataError(f"calibration: a {type(calibration).__name__} where cases are wanted")
    count = 0
    for number, given in enumerate(calibration):
        where = f"calibration case {number}"
        case = _as_case(where, given)
        if len(case) != len(example):
            raise InputDataError(
                f"{where}: {len(case)} tensors where the module takes {len(example)}; leave out labels"
            )
        apart = [_apart(where, *pair) for pair in zip(case, example, strict=True)]
        if len({len(tensors) for tensors in apart}) > 1:
            raise InputDataError(f"{where}: its tensors have batches of different sizes")
        count += len(apart[0])
        yield from zip(*apart, strict=True)
    if not count:
        raise InputDataError("calibration: there is no case in it; give at least one")


def _apart(where: str, tensor: torch.Tensor, wanted: torch.Tensor) -> Sequence[torch.Tensor]:
    """A batch as tensors of the wanted shape and type."""
    if tensor.dtype != wanted.dtype:
        raise InputDataError(f"{where}: {tensor.dtype} where the example input has {wanted.dtype}")
    if not bool(torch.isfinite(tensor).all()):
        raise InputDataError(f"{where}: it holds NaN or infinity")
    if tensor.shape == wanted.shape:
        return [tensor]
    if not (wanted.dim() and wanted.shape[0] == 1 and tensor.shape[1:] == wanted.shape[1:]):
        shapes = f"{list(tensor.shape)} where the example input has {list(wanted.shape)}"
        raise InputDataError(f"{where}: the shape {shapes}")
    return tensor.split(1) if len(tensor) else []
