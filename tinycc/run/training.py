"""Training steps of a generated folder, on the host or on an emulated board."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tinycc.errors import InputDataError
from tinycc.run.board import run_board
from tinycc.run.folder import DeviceTensor, read_training_folder
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
    labels: integers [N]; of a step with a squared error what is right, real numbers [N, ...].
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
    cases = [
        *inputs,
        _targets(generated.inputs[-2], np.asarray(labels), is_tested),
        np.broadcast_to(np.asarray(rates, np.float32), (steps,)).reshape(steps, 1),
    ]
    if target_named(on).name == "host":
        return run_host(generated, cases, sanitize=sanitize, keep_state=True)
    return run_board(generated, cases, on, profile=profile, keep_state=True)


def _targets(tensor: DeviceTensor, labels: np.ndarray, is_tested: np.ndarray | None) -> np.ndarray:
    """What is right as the harness takes it: a label that is looked at alone is -1 - label."""
    if tensor.dtype.kind == "f":
        if is_tested is not None and np.any(is_tested):
            raise InputDataError("a step with a squared error has no labels to test")
        return np.asarray(labels, np.float32).reshape(len(labels), *tensor.shape)
    if labels.dtype.kind not in "iu" or labels.min() < 0:
        raise InputDataError("labels are integers from 0 on")
    told = labels.astype(np.int32)
    return (
        (told if is_tested is None else np.where(is_tested, -1 - told, told)).astype(np.int32).reshape(-1, 1)
    )
