"""Running a generated folder on the machine tinycc itself runs on."""

import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from tinycc.errors import ToolError
from tinycc.run import harness
from tinycc.run.folder import GeneratedFolder, read_folder
from tinycc.run.result import RunResult
from tinycc.run.tensors import SEED, device_cases, file_outputs, random_inputs
from tinycc.run.toolchain import WARNINGS, host_compiler, quick_linker, run_tool, section_sizes
from tinycc.target import target_named

# A null pointer ends in a fault that the address sanitizer reports: the other one need not look for it, too.
SANITIZERS = (
    *("-Og", "-g1"),
    *("-fsanitize=address,undefined", "-fno-sanitize=null", "-fno-sanitize-recover=all"),
)


def run_host(
    folder: Path | GeneratedFolder,
    inputs: list[np.ndarray] | None = None,
    *,
    sanitize: bool = False,
    trace: bool = False,
    keep_state: bool = False,
) -> RunResult:
    """Build `folder` with the host's C compiler in a temporary folder and run all cases.

    The arena stands between two painted zones, which are checked after each case; with `sanitize` the address
    and undefined-behaviour sanitizers watch, too. Raises ToolError, InputDataError, OutputError.
    """
    generated = folder if isinstance(folder, GeneratedFolder) else read_folder(folder)
    arrays = random_inputs(generated) if inputs is None else inputs
    cases = device_cases(generated, arrays)
    with tempfile.TemporaryDirectory(prefix="tinycc-host-") as directory:
        work = Path(directory)
        objects, warnings = _build(generated, work, sanitize=sanitize, trace=trace, keep_state=keep_state)
        (work / "in.bin").write_bytes(b"".join(cases))
        _execute(work, 120 + len(cases) * generated.macs // 1_000_000)
        layers = None
        if trace:
            _, layers = harness.read_trace(generated, work, len(cases), 0, layers=True)
        sizes = [section_sizes(target_named("host"), item) for item in objects]
        code = sum(size.code for size in sizes)
        data = sum(size.data for size in sizes)
        const = sum(size.const for size in sizes) + data
        return RunResult(
            outputs=file_outputs(generated, (work / "out.bin").read_bytes(), arrays),
            cases=len(cases),
            board="host",
            ram_bytes=data + sum(size.bss for size in sizes),
            flash_bytes=code + const,
            code_bytes=code,
            const_bytes=const,
            layers=layers,
            inputs_text=f"random, seed {SEED}" if inputs is None else "",
            warnings=warnings,
            states=harness.read_states(generated, work),
        )


def _build(
    generated: GeneratedFolder, work: Path, *, sanitize: bool, trace: bool, keep_state: bool
) -> tuple[list[Path], str]:
    """Compile and link `work`/program; the model's objects and what the compiler said of them."""
    compiler = host_compiler()
    boards = harness.copy_runtime(work)
    harness.write_header(generated, boards, keep_state=keep_state)
    flags = [*(SANITIZERS if sanitize else ("-O2",)), f"-I{generated.path}"]
    flags += harness.definitions(generated, trace=trace, layers=trace)
    objects, warnings = [], ""
    for source in generated.sources:
        item = work / f"{source.stem}.o"
        command = [compiler, "-std=c99", *WARNINGS, *flags, "-c", str(source), "-o", str(item)]
        warnings += run_tool(command, f"compiling {source.name}", where=work)
        objects.append(item)
    own = ['-DCLOCK_HEADER="clock_none.h"', "-DHARNESS_GUARDED"]
    sources = [str(boards / "harness.c"), str(boards / "host.c")]
    command = [compiler, "-std=gnu99", *flags, *own, *sources, *map(str, objects), "-lm", "-o", "program"]
    command += quick_linker() if sanitize else []
    run_tool(command, "building the host program", where=work)
    return objects, warnings


def _execute(work: Path, limit_s: int) -> None:
    # The sanitizers' leak check needs ptrace, which containers often forbid, and nothing is allocated.
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    try:
        done = subprocess.run(
            [str(work / "program")],
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolError(f"the model did not finish on the host within {limit_s} s") from error
    if done.returncode == 0:
        return
    for line in done.stderr.splitlines():
        if "runtime error:" in line or "ERROR: AddressSanitizer" in line:
            raise ToolError(f"the sanitizer stopped the model: {line.strip()}")
    raise harness.failure(done.returncode, done.stderr, "the host")
