"""What a run yields."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class RunResult:
    """Outputs and costs of a run.

    outputs: one array per model output in the file's layout, [cases, *file_shape]; without the batch of 1
        where the inputs had none.
    board: where it ran, in words.
    instructions: mean of one inference, None on the host.
    operator_instructions: mean of each operator, in the report's order, if they were counted. Each includes
        a few instructions of the call that counts.
    stack_bytes: the deepest use below the call of invoke, None on the host.
    ram_bytes: .data + .bss of the model and of the library functions it needs; flash_bytes = code_bytes +
        const_bytes of the same.
    layers: for each case the output of every operator, if traced.
    inputs_text: how the inputs came about, if they were not given.
    warnings: what the compiler said of the model's sources.
    states: of a training run, what trains and how far it is, by name, after the last step.
    """

    outputs: list[np.ndarray]
    cases: int
    board: str
    ram_bytes: int
    flash_bytes: int
    code_bytes: int
    const_bytes: int
    instructions: int | None = None
    operator_instructions: list[int] | None = None
    stack_bytes: int | None = None
    layers: list[list[np.ndarray]] | None = None
    inputs_text: str = ""
    warnings: str = ""
    states: dict[str, np.ndarray] | None = None

    def to_json(self) -> dict[str, Any]:
        """The costs as plain JSON values; what was not measured is absent."""
        values = {
            "board": self.board,
            "cases": self.cases,
            "instructions": self.instructions,
            "operator_instructions": self.operator_instructions,
            "stack_bytes": self.stack_bytes,
            "ram_bytes": self.ram_bytes,
            "flash_bytes": self.flash_bytes,
            "code_bytes": self.code_bytes,
            "const_bytes": self.const_bytes,
            "inputs": self.inputs_text or None,
        }
        return {key: value for key, value in values.items() if value is not None}
