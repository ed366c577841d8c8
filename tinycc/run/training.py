"""Training steps of a generated folder, on the host or on an emulated board."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinycc.errors import InputDataError
from tinycc.run.board import run_board
from tinycc.run.folder import DeviceTensor, GeneratedFolder, read_training_folder
from tinycc.run.host import run_host
from tinycc.run.result import RunResult
from tinycc.target import target_named


def train(
    folder: Path,
    on: str,
    inputs: Sequence[np.ndarray],
    labels: np.ndarray,
    rates: float | np.ndarray,
    *,
    is_tested: np.ndarray | None = None,
    sanitize: bool = False,
    profile: bool = False,
) -> RunResult:
    """Take a training step with each example in turn, beginning with the weights that were compiled.

    on: a name of tinycc.target.TARGETS. inputs: of the network, with a leading axis of N examples.
    labels: integers [N], from 0 on, less than there are outputs; of a step with a squared error what is
        right, real numbers [N, ...].
    rates: the learning rate, or one for each step.
    is_tested: bool [N], examples of which the answer is looked at in place of learning from them.
    sanitize, profile: as for `tinycc.run.run`.

    The result's only output are the losses, float32 [N, 1]; of examples that are tested it is 1 where the
    answer is right and 0 where not. Its states are what was trained. Raises as `tinycc.run.run` does.
    """
    generated = read_training_folder(folder)
    steps = len(labels)
    if not steps or any(len(array) != steps for array in inputs):
        raise InputDataError(f"{steps} labels for {', '.join(str(len(array)) for array in inputs)} examples")
    if not np.all(np.isfinite(rates)) or np.any(np.asarray(rates) < 0):
        raise InputDataError("a learning rate is a number from 0 on")
    cases = [
        *inputs,
        _targets(generated, np.asarray(labels), is_tested),
        np.broadcast_to(np.asarray(rates, np.float32), (steps,)).reshape(steps, 1),
    ]
    if target_named(on).name == "host":
        return run_host(generated, cases, sanitize=sanitize, keep_state=True)
    return run_board(generated, cases, on, profile=profile, keep_state=True)


def _targets(generated: GeneratedFolder, labels: np.ndarray, is_tested: np.ndarray | None) -> np.ndarray:
    """What is right as the harness takes it: a label that is looked at alone is -1 - label."""
    tensor = generated.inputs[-2]
    if tensor.dtype.kind == "f":
        return _real_targets(tensor, labels, is_tested)
    most = generated.classes - 1
    if labels.dtype.kind not in "iu":
        raise InputDataError(f"labels are integers from 0 to {most}, not {labels.dtype}")
    wrong = labels[(labels < 0) | (labels > most)]
    if wrong.size:
        raise InputDataError(
            f"labels are integers from 0 to {most}, the outputs of the model: not {wrong[0]}"
        )
    told = labels.astype(np.int32).reshape(-1, 1)
    return told if is_tested is None else np.where(is_tested.reshape(-1, 1), -1 - told, told)


def _real_targets(tensor: DeviceTensor, targets: np.ndarray, is_tested: np.ndarray | None) -> np.ndarray:
    if is_tested is not None and np.any(is_tested):
        raise InputDataError("a step with a squared error has no labels to test")
    if targets.dtype.kind not in "fiu" or targets.size != len(targets) * math.prod(tensor.shape):
        given = f"{targets.dtype} {list(targets.shape[1:])}"
        raise InputDataError(f"a target is {math.prod(tensor.shape)} real numbers, not {given}")
    if not np.isfinite(targets).all():
        raise InputDataError("a target is no finite number")
    return targets.astype(np.float32).reshape(len(targets), *tensor.shape)
