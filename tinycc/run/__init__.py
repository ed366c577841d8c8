"""Build a generated folder and run it, on the host or on an emulated board.

The folder is never written to: everything is built and run in temporary folders.
"""

from pathlib import Path

import numpy as np

from tinycc.run.board import run_board
from tinycc.run.host import run_host
from tinycc.run.result import RunResult
from tinycc.run.training import train
from tinycc.target import target_named

__all__ = ["RunResult", "run", "run_board", "run_host", "train"]


def run(
    folder: Path,
    on: str = "host",
    inputs: list[np.ndarray] | None = None,
    *,
    sanitize: bool = False,
    trace: bool = False,
    profile: bool = False,
    keep_state: bool = False,
) -> RunResult:
    """Run the generated `folder` on `on`, a name of tinycc.target.TARGETS.

    inputs: one array per model input with a leading axis of cases, before the file's batch of 1 or in its
        place, and the outputs come alike; without them one case of random numbers from a fixed seed is run.
    sanitize: host only, address and undefined-behaviour sanitizers.
    trace: also return the output of every operator.
    profile: boards only, also count the instructions of every operator.
    keep_state: the cases are successive steps from a reset, else each begins with one.
    Raises UnsupportedError, InputDataError, OutputError (not a generated folder), BudgetError, ToolError.
    """
    if target_named(on).name == "host":
        return run_host(folder, inputs, sanitize=sanitize, trace=trace, keep_state=keep_state)
    return run_board(folder, inputs, on, trace=trace, profile=profile, keep_state=keep_state)
