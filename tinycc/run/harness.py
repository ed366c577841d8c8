"""The program around the model: its generated header, and the files it reads and writes."""

import math
import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np

from tinycc.errors import ToolError
from tinycc.run.folder import GeneratedFolder

# Exit codes of runtime_c/boards/port.h.
FAULT = 90
STACK_OVERFLOW = 91
FILE_ERROR = 92
OUTSIDE_ARENA = 93
WRONG_ROW = 94


@dataclass(frozen=True)
class Costs:
    """Instructions and stack bytes of each case, overhead of measuring taken off."""

    instructions: list[int]
    stack_bytes: list[int]
    overhead: int


def copy_runtime(work: Path) -> Path:
    """Copy the C files of runtime_c/boards into `work`; their folder."""
    boards = work / "boards"
    with resources.as_file(resources.files("tinycc.runtime_c") / "boards") as source:
        shutil.copytree(source, boards)
    return boards


def write_header(folder: GeneratedFolder, boards: Path, *, keep_state: bool) -> None:
    """Write under_test.h: how the harness calls this model and how many bytes it moves.

    keep_state: the cases are successive steps from a reset; else each case begins with one.
    """
    macro = folder.name.upper()

    def table(name: str, sizes: list[int]) -> str:
        values = ", ".join(f"{size}u" for size in sizes) or "0u"
        return f"static const uint32_t {name}[] __attribute__((unused)) = {{{values}}};\n"

    def checks(side: str, sizes: list[int]) -> str:
        return "".join(
            f"#if {macro}_{side}_{index}_BYTES != {size}\n"
            f'#error "report.json and {folder.name}.h disagree: compile the model again"\n#endif\n'
            for index, size in enumerate(sizes)
        )

    inputs = [tensor.bytes for tensor in folder.inputs]
    outputs = [tensor.bytes for tensor in folder.outputs]
    (boards / "under_test.h").write_text(
        "#include <stdint.h>\n"
        f'#include "{folder.name}.h"\n'
        f"#define UNDER_TEST(part) {folder.name}_##part\n"
        f"#define INPUT_COUNT {len(inputs)}u\n"
        f"#define OUTPUT_COUNT {len(outputs)}u\n"
        + ("#define KEEP_STATE\n" if keep_state else "")
        + (_training(folder) if folder.trains else "")
        + (f"#define INPUT_ROWS {macro}_INPUT_0_ROWS\n" if folder.by_rows else "")
        + (f"#define ROW_BYTES {macro}_INPUT_0_ROW_BYTES\n" if folder.by_rows else "")
        + table("input_bytes", inputs)
        + table("output_bytes", outputs)
        + table("layer_bytes", [operator.call_bytes for operator in folder.operators])
        + ("" if folder.trains else checks("INPUT", inputs) + checks("OUTPUT", outputs)),
        encoding="utf-8",
    )


def _training(folder: GeneratedFolder) -> str:
    """What the header says of examples to train on: the network's inputs, a label and a rate."""
    macro = folder.name.upper()
    words = [0]
    for tensor in folder.inputs:
        words.append(words[-1] + -(-tensor.bytes // 4))
    *network, _, _ = range(len(folder.inputs))
    return (
        "#define HARNESS_TRAIN\n"
        + ("#define HAS_LABEL\n" if folder.inputs[-2].dtype.kind == "i" else "")
        + f"#define EXAMPLE_WORDS {words[-1]}\n"
        f"static const uint32_t input_words[] = {{{', '.join(f'{word}u' for word in words[:-1])}}};\n"
        f"#define EXAMPLE {', '.join(f'INPUT({index})' for index in network)}\n"
        f"#define FIRST_STATE {macro}_STATES\n"
        f"#define STATE_BYTES {macro}_STATE_BYTES\n"
    )


def definitions(folder: GeneratedFolder, *, trace: bool, layers: bool) -> list[str]:
    """Compiler options of the model and the harness for tracing."""
    if not trace:
        return []
    return [f"-D{folder.name.upper()}_TRACE", "-DHARNESS_TRACE", *(["-DHARNESS_LAYERS"] if layers else [])]


def failure(code: int, text: str, where: str) -> ToolError:
    """The error for a program that left with `code` and printed `text`."""
    message = " ".join(text.split())[:600]
    reasons = {
        FAULT: f"the program faulted on {where}: {message}",
        STACK_OVERFLOW: f"the stack ran into the model's data on {where}: give it more SRAM",
        FILE_ERROR: f"the program on {where} could not read or write its case files",
        OUTSIDE_ARENA: "the model wrote outside its arena: a guard zone beside it was changed",
        WRONG_ROW: f"the model was not done with the last row of its input on {where}",
    }
    return ToolError(
        reasons.get(code, f"the program on {where} ended with code {code}: {message or 'no message'}")
    )


def read_costs(work: Path, cases: int) -> Costs:
    """Read cost.bin."""
    words = np.fromfile(work / "cost.bin", "<u8")
    if len(words) != 1 + 2 * cases:
        raise ToolError(f"the program ran {max(len(words) - 1, 0) // 2} of {cases} cases")
    overhead = int(words[0])
    pairs = words[1:].reshape(cases, 2)
    return Costs([max(int(count) - overhead, 0) for count in pairs[:, 0]], pairs[:, 1].tolist(), overhead)


def read_trace(
    folder: GeneratedFolder, work: Path, cases: int, overhead: int, *, layers: bool
) -> tuple[list[int], list[list[np.ndarray]]]:
    """Read trace.bin: mean instructions of each operator and, with `layers`, every output of each case."""
    data = (work / "trace.bin").read_bytes()
    calls = sum(operator.calls for operator in folder.operators)
    call_bytes = sum(operator.calls * operator.call_bytes for operator in folder.operators) if layers else 0
    if len(data) != cases * (16 * calls + call_bytes):
        raise ToolError(f"{folder.path} has other operators than its report.json: compile the model again")
    totals = [0] * len(folder.operators)
    outputs: list[list[np.ndarray]] = []
    offset = 0
    for _ in range(cases):
        found = [b""] * len(folder.operators)
        for _ in range(calls):
            index, count = (int(word) for word in np.frombuffer(data, "<u8", 2, offset))
            index -= folder.first_operator
            offset += 16
            totals[index] += max(count - overhead, 0)
            if layers:
                size = folder.operators[index].call_bytes
                found[index] += data[offset : offset + size]
                offset += size
        if layers:
            outputs.append(
                [operator.read(rows) for operator, rows in zip(folder.operators, found, strict=True)]
            )
    return [round(total / cases) for total in totals], outputs


def read_states(folder: GeneratedFolder, work: Path) -> dict[str, np.ndarray] | None:
    """Read state.bin of a training run; None for any other."""
    if not folder.trains:
        return None
    data = (work / "state.bin").read_bytes()
    return {
        tensor.name: np.frombuffer(data, tensor.dtype, math.prod(tensor.shape), first).reshape(tensor.shape)
        for tensor, first in folder.states
    }
