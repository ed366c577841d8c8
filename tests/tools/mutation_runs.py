"""Compiling mutated model files in processes that may crash, hang or run out of memory."""

import multiprocessing
import resource
import shutil
import subprocess
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from rich.console import Console

import tinycc.compiler
from tests.cli.models import onnx_model, tflite_model
from tests.tools.corpus import ROOT, corpus_folder
from tests.tools.mutations import mutated
from tests.tools.random_graphs import random_model
from tinycc.errors import TinyccError
from tinycc.frontend.load import describe_model
from tinycc.report.listing import print_description
from tinycc.report.terminal import print_report
from tinycc.run.toolchain import WARNINGS, host_compiler

LIMIT_S = 60
MEMORY_BYTES = 8 << 30
COMPILED = "compiled"
FAULT = "fault"
# Forked, they have all modules at once.
_CONTEXT = multiprocessing.get_context("fork")


@dataclass(frozen=True)
class Seed:
    """A sound model file that mutations start from. form: "tflite" or "onnx"."""

    name: str
    form: str
    content: bytes


@dataclass(frozen=True)
class Ending:
    """How the compilation of a mutation ended.

    kind: COMPILED, the name of the error that refused the file, or FAULT.
    text: of a fault, what is known of it, on one line; of a refusal its message.
    """

    seed: Seed
    number: int
    kind: str
    text: str = ""


def project_seeds() -> list[Seed]:
    """Small models that the project itself builds."""
    seeds = [
        Seed("small", "tflite", tflite_model()),
        Seed("float edges", "tflite", tflite_model(float_edges=True)),
        Seed("small", "onnx", onnx_model()),
    ]
    seeds += [Seed(f"random {seed}", "tflite", random_model(seed, 4).content) for seed in range(12)]
    for path in sorted((ROOT / "tests" / "data").glob("*.*")):
        if path.suffix in (".onnx", ".tflite"):
            seeds.append(Seed(path.stem, path.suffix[1:], path.read_bytes()))
    return seeds


def corpus_seeds(most_bytes: int = 60_000) -> list[Seed]:
    """The small models of the corpus; none where it is absent."""
    paths = sorted(
        path
        for pattern in ("tflite/**/*.tflite", "faults/*/*.tflite", "faults/*/*.onnx", "onnx/**/*.onnx")
        for path in corpus_folder().glob(pattern)
        if path.stat().st_size <= most_bytes
    )
    return [Seed(f"{path.parent.name}/{path.stem}", path.suffix[1:], path.read_bytes()) for path in paths]


def run_mutations(
    jobs: Sequence[tuple[Seed, int]], *, workers: int = 1, build_every: int = 0
) -> Iterator[Ending]:
    """The ending of each job, a seed and the number of its mutation, in any order.

    build_every: of so many mutations that compile the C of one is compiled, too; 0 for none.
    """
    waiting = list(reversed(jobs))
    running: list[_Worker] = []
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                running.append(_Worker(waiting, build_every))
            for worker in list(running):
                ending = worker.next_ending()
                if ending is not None:
                    yield ending
                if not worker.is_alive:
                    running.remove(worker)
    finally:
        for worker in running:
            worker.stop()


class _Worker:
    """A process that compiles one mutation after the other, replaced from time to time."""

    _MOST = 100

    def __init__(self, waiting: list[tuple[Seed, int]], build_every: int) -> None:
        self._waiting = waiting
        self._jobs = [waiting.pop() for _ in range(min(self._MOST, len(waiting)))]
        self._done = 0
        self.is_alive = True
        self._connection, theirs = _CONTEXT.Pipe(duplex=False)
        self._folder = Path(tempfile.mkdtemp(prefix="tinycc-mutations-"))
        self._process = _CONTEXT.Process(target=_work, args=(self._jobs, self._folder, build_every, theirs))
        self._process.start()
        theirs.close()

    def next_ending(self) -> Ending | None:
        """The ending of the next job; None where there is none any more."""
        if self._done == len(self._jobs):
            self.stop()
            return None
        seed, number = self._jobs[self._done]
        self._done += 1
        try:
            if self._connection.poll(LIMIT_S):
                return Ending(seed, number, *self._connection.recv())
            text = f"did not end within {LIMIT_S} s"
        except EOFError:
            self._process.join()
            text = f"the process ended with code {self._process.exitcode}"
        self._waiting += reversed(self._jobs[self._done :])
        self.stop()
        return Ending(seed, number, FAULT, text)

    def stop(self) -> None:
        """End the process and remove its folder."""
        self._process.kill()
        self._process.join()
        self._connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self.is_alive = False


def _work(jobs: list[tuple[Seed, int]], folder: Path, build_every: int, connection: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    warnings.simplefilter("error", RuntimeWarning)
    compiled = 0
    for seed, number in jobs:
        kind, text = ending_of(seed, number, folder, is_built=build_every > 0 and compiled % build_every == 0)
        compiled += kind == COMPILED
        connection.send((kind, text))
    connection.close()


def ending_of(seed: Seed, number: int, folder: Path, *, is_built: bool = False) -> tuple[str, str]:
    """Kind and text of the ending of one mutation, in an empty `folder`, which is empty again thereafter."""
    path, output = folder / f"mutated.{seed.form}", folder / "new" / "out"
    path.write_bytes(mutated(seed.form, seed.content, number))
    kinds = [_attempt(lambda: print_description(describe_model(path), Console(quiet=True)))]
    kinds.append(_attempt(lambda: _compile(path, output, is_built=is_built)))
    left = sorted(item.name for item in folder.iterdir())
    expected = [path.name, "new"] if kinds[1][0] == COMPILED else [path.name]
    if left != sorted(expected):
        kinds.append((FAULT, f"left behind: {left}"))
    shutil.rmtree(output.parent, ignore_errors=True)
    path.unlink()
    faults = [kind for kind in kinds if kind[0] == FAULT]
    return faults[0] if faults else kinds[1]


def _attempt(action: Callable[[], object]) -> tuple[str, str]:
    try:
        action()
    except TinyccError as error:
        message = str(error)
        if not message.isprintable() or len(message) > 2000:
            return FAULT, f"a message of {len(message)} characters: {message[:200]!r}"
        return type(error).__name__, message
    except Exception as error:
        frames = [
            frame for frame in traceback.extract_tb(error.__traceback__) if "/tinycc/" in frame.filename
        ]
        frames = frames or traceback.extract_tb(error.__traceback__)
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        return FAULT, f"{place} {type(error).__name__}: {' '.join(str(error).split())[:150]}"
    return COMPILED, ""


def _compile(path: Path, output: Path, *, is_built: bool) -> None:
    compiled = tinycc.compiler.compile(path)
    compiled.export(output)
    print_report(compiled.report, Console(quiet=True))
    if is_built:
        command = [host_compiler(), "-std=c99", *WARNINGS, "-Werror", "-fsyntax-only", "model.c"]
        done = subprocess.run(command, cwd=output, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
