"""Running a generated folder as firmware of an emulated board."""

import functools
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from string import Template

import numpy as np

from tinycc.errors import BudgetError, ToolError, UnsupportedError
from tinycc.run import harness
from tinycc.run.folder import GeneratedFolder, read_folder
from tinycc.run.result import RunResult
from tinycc.run.tensors import SEED, device_cases, file_outputs, random_inputs
from tinycc.run.toolchain import (
    EMULATOR_PACKAGES,
    WARNINGS,
    Sizes,
    find_tool,
    first_error,
    run_tool,
    section_sizes,
)
from tinycc.target import Board, Target, target_named

VECTORS_BYTES = 1024
LEAST_STACK_BYTES = 256
# On top of an SRAM budget, which is the arena's.
STACK_BYTES = 4096
# What the harness itself takes; added to a budget, which is meant for the model.
HARNESS_SRAM_BYTES = 64
HARNESS_FLASH_BYTES = 8192
_OPTIMIZED = ("-O2", "-ffunction-sections", "-fdata-sections")


@dataclass(frozen=True)
class _Job:
    """Everything a build and a run on one board need."""

    generated: GeneratedFolder
    target: Target
    board: Board
    inputs: list[np.ndarray]
    cases: list[bytes]
    keep_state: bool


class _DoesNotFitError(Exception):
    """The linker, or the stack at run time, found the board's memory too small."""


def run_board(
    folder: Path | GeneratedFolder,
    inputs: list[np.ndarray] | None,
    target_name: str,
    *,
    trace: bool = False,
    profile: bool = False,
    keep_state: bool = False,
) -> RunResult:
    """Build `folder` as firmware of the target's emulated board and run all cases.

    Where it does not fit the first board of a target that has several, the next is taken; `RunResult.board`
    says which. Raises ToolError, BudgetError (does not fit), InputDataError, OutputError, UnsupportedError.
    """
    target = target_named(target_name)
    if not target.boards:
        raise UnsupportedError(f"{target_name} has no emulated board: run it with --on host")
    generated = folder if isinstance(folder, GeneratedFolder) else read_folder(folder)
    arrays = random_inputs(generated) if inputs is None else inputs
    cases = device_cases(generated, arrays)
    inputs_text = f"random, seed {SEED}" if inputs is None else ""
    reasons: list[str] = []
    for board in target.boards:
        find_tool(board.emulator, EMULATOR_PACKAGES[board.emulator])
        note = "".join(f"; {reason}" for reason in reasons)
        try:
            job = _Job(generated, target, board, arrays, cases, keep_state)
            return _run_on(job, inputs_text, note, trace=trace, profile=profile)
        except _DoesNotFitError as error:
            reasons.append(f"does not fit {board.name}: {error}")
    raise BudgetError(f"the program {'; '.join(reasons)}")


def _run_on(job: _Job, inputs_text: str, note: str, *, trace: bool, profile: bool) -> RunResult:
    with tempfile.TemporaryDirectory(prefix="tinycc-board-") as directory:
        work = Path(directory)
        objects, warnings = _build(job, work, traced=False, layers=False)
        _execute(job, work)
        costs = harness.read_costs(work, len(job.cases))
        outputs = file_outputs(job.generated, (work / "out.bin").read_bytes(), job.inputs)
        sizes = _model_sizes(job, work, objects)
        states = harness.read_states(job.generated, work)
    counts, layers = _traced(job, layers=trace) if trace or profile else (None, None)
    return RunResult(
        outputs=outputs,
        cases=len(job.cases),
        board=job.board.name + note,
        instructions=round(sum(costs.instructions) / len(job.cases)),
        operator_instructions=counts if profile else None,
        stack_bytes=max(costs.stack_bytes),
        ram_bytes=sizes.data + sizes.bss,
        flash_bytes=sizes.code + sizes.const + sizes.data,
        code_bytes=sizes.code,
        const_bytes=sizes.const + sizes.data,
        layers=layers if trace else None,
        inputs_text=inputs_text,
        warnings=warnings,
        states=states,
    )


def _traced(job: _Job, *, layers: bool) -> tuple[list[int], list[list[np.ndarray]]]:
    """A second build and run that stops after every operator, so that the first one's counts stay exact."""
    with tempfile.TemporaryDirectory(prefix="tinycc-board-") as directory:
        work = Path(directory)
        _build(job, work, traced=True, layers=layers)
        _execute(job, work)
        overhead = harness.read_costs(work, len(job.cases)).overhead
        return harness.read_trace(job.generated, work, len(job.cases), overhead, layers=layers)


def _build(job: _Job, work: Path, *, traced: bool, layers: bool) -> tuple[list[Path], str]:
    """Compile and link `work`/firmware.elf; the model's objects and what the compiler said of them."""
    target, generated = job.target, job.generated
    compiler = find_tool(f"{target.compiler}gcc", target.packages)
    boards = harness.copy_runtime(work)
    harness.write_header(generated, boards, keep_state=job.keep_state)
    flags = [*target.flags, *_OPTIMIZED, f"-I{generated.path}"]
    flags += harness.definitions(generated, trace=traced, layers=layers)
    objects, warnings = [], ""
    for source in generated.sources:
        item = work / f"{source.stem}.o"
        command = [compiler, "-std=c99", *WARNINGS, *flags, "-c", str(source), "-o", str(item)]
        warnings += run_tool(command, f"compiling {source.name} for {target.name}", where=work)
        objects.append(item)
    # The last -march wins: only the harness reads control registers, an extension of its own since 2019.
    own = ["-march=rv32imc_zicsr"] if target.name.startswith("rv32") else []
    clock = f'-DCLOCK_HEADER="{job.board.clock}"'
    command = [compiler, "-std=gnu99", *flags, *own, clock, "-c", str(boards / "harness.c")]
    run_tool([*command, "-o", "harness.o"], "compiling harness.c", where=work)
    firmware = [work / "harness.o"]
    for name in (target.startup, "semihosting.c"):
        firmware.append(work / f"board_{name}.o")
        firmware[-1].write_bytes(_port_object(compiler, (*target.flags, *own), name))
    script = work / "board.ld"
    script.write_text(_linker_script(job, (boards / "board.ld").read_text(encoding="utf-8"), traced=traced))
    command = [compiler, *target.flags, "-nostartfiles", f"-T{script}", "-Wl,--gc-sections", "-static"]
    command += [*map(str, firmware), *map(str, objects), "-lm", "-o", "firmware.elf"]
    _link(command, work)
    return objects, warnings


@functools.cache
def _port_object(compiler: str, flags: tuple[str, ...], name: str) -> bytes:
    """The object of a C file of the harness that knows nothing of the model: it is the same for all."""
    with tempfile.TemporaryDirectory(prefix="tinycc-board-") as directory:
        work = Path(directory)
        source = str(harness.copy_runtime(work) / name)
        command = [compiler, "-std=gnu99", *flags, *_OPTIMIZED, "-c", source, "-o", "port.o"]
        run_tool(command, f"compiling {name}", where=work)
        return (work / "port.o").read_bytes()


def _link(command: list[str], work: Path) -> None:
    done = subprocess.run(command, cwd=work, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        reason = first_error(done.stderr)
        if "overflowed by" in reason:
            raise _DoesNotFitError(reason[reason.index("region") :].replace("`", "'"))
        raise ToolError(f"linking the firmware failed: {reason}")


def _linker_script(job: _Job, template: str, *, traced: bool) -> str:
    """The script with the board's memory, cut down to the budgets the folder was compiled for."""
    board, generated = job.board, job.generated
    flash_first = board.flash.origin if board.vectors else board.flash.origin + VECTORS_BYTES
    flash = board.flash.length if board.vectors else board.flash.length - VECTORS_BYTES
    sram = board.sram.length
    # A trace writes more than the program it stands for: its code does not count against a budget.
    if generated.flash_bytes is not None and not traced:
        flash = min(flash, generated.flash_bytes + HARNESS_FLASH_BYTES)
    if generated.sram_bytes is not None:
        sram = min(sram, (generated.sram_bytes + HARNESS_SRAM_BYTES + STACK_BYTES) // 8 * 8)
    return Template(template).substitute(
        vectors_origin=hex(board.vectors.origin if board.vectors else board.flash.origin),
        vectors_length=VECTORS_BYTES,
        flash_origin=hex(flash_first),
        flash_length=flash,
        sram_origin=hex(board.sram.origin),
        sram_length=sram,
        least_stack=LEAST_STACK_BYTES,
    )


def _execute(job: _Job, work: Path) -> None:
    """Run the firmware in QEMU, one instruction a virtual nanosecond, its files in `work`."""
    (work / "in.bin").write_bytes(b"".join(job.cases))
    emulator = find_tool(job.board.emulator, EMULATOR_PACKAGES[job.board.emulator])
    command = [emulator, *job.board.machine, "-nographic", "-monitor", "none", "-serial", "none"]
    command += [
        "-icount",
        "shift=0",
        "-semihosting-config",
        "enable=on,target=native",
        "-kernel",
        "firmware.elf",
    ]
    # Some 20 to 60 instructions a multiply-accumulate in the worst case, at least 10 M of them a second.
    limit_s = 120 + len(job.cases) * job.generated.macs * 6 // 1_000_000
    try:
        done = subprocess.run(
            command,
            cwd=work,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"the model did not finish on {job.board.name} within {limit_s} s") from error
    if done.returncode == harness.STACK_OVERFLOW:
        raise _DoesNotFitError("the stack ran into the model's data")
    if done.returncode != 0:
        raise harness.failure(done.returncode, done.stdout + done.stderr, job.board.name)


def _model_sizes(job: _Job, work: Path, objects: list[Path]) -> Sizes:
    """Sizes of the model with the library functions it pulls in: a link without the harness."""
    name = job.generated.name
    parts = ["row", "push_row"] if job.generated.by_rows else ["input", "invoke"]
    parts += ["train_step", "set_learning_rate"] if job.generated.trains else []
    roots = [f"-Wl,-u,{name}_{part}" for part in (*parts, "output", "reset")]
    compiler = find_tool(f"{job.target.compiler}gcc", job.target.packages)
    command = [compiler, *job.target.flags, "-nostartfiles", f"-T{work / 'board.ld'}", "-Wl,--gc-sections"]
    command += [f"-Wl,-e,{name}_reset", *roots, *map(str, objects), "-lm", "-o", "model.elf"]
    run_tool([*command, "-Wl,-Map=model.map"], "linking the model alone", where=work)
    return section_sizes(job.target, work / "model.elf")
