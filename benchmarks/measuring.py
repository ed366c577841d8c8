"""Measuring one corpus model on one core: what is kept of a run, and when it need not be repeated."""

import hashlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tinycc
from benchmarks.records import FileSizes, Measurement, Operator, Setting, compiler_version
from tests.tools.corpus import as_in_file, golden_inputs, golden_outputs, load_arrays
from tinycc.compiler import CompiledModel
from tinycc.frontend.load import describe_model
from tinycc.run import RunResult, run
from tinycc.target import Target


class WrongOutputError(Exception):
    """A core gave other bytes than the reference."""


def fingerprint(folder: Path, target: Target) -> str:
    """Of everything that instruction counts depend on."""
    digest = hashlib.sha256(repr((target.flags, compiler_version(target))).encode())
    for path in sorted(folder.rglob("*.[ch]")):
        if path.name != "main.c":
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Model:
    """A model file with an input and, where there is one, the reference's output for it."""

    path: Path
    arrays: dict[str, np.ndarray]

    @classmethod
    def of_corpus(cls, corpus: Path, name: str, kind: str = "int8") -> "Model":
        """A TFLite model of the corpus, "int8" or "float"; the reference is TFLite Micro's."""
        return cls(
            corpus / "tflite" / kind / f"{name}.tflite", load_arrays(corpus / "golden" / f"{name}.npz")
        )

    @property
    def file_sizes(self) -> FileSizes:
        """What the file takes."""
        return FileSizes(self.path.stat().st_size, describe_model(self.path).weight_bytes)

    def check(self, result: RunResult, report: dict[str, Any], where: str) -> None:
        """WrongOutputError unless the first case's outputs are those of the reference to the bit."""
        for index, (output, edge) in enumerate(zip(result.outputs, report["outputs"], strict=True)):
            expected, actual = golden_outputs(self.arrays, index, [0]), as_in_file(output, edge)
            if not np.array_equal(actual, expected.reshape(actual.shape)):
                raise WrongOutputError(f"{self.path.stem}: output {index} on {where} is not the reference's")


def measure(model: Model, compiled: CompiledModel, folder: Path, setting: Setting) -> Measurement:
    """Run the exported `folder` of a compiled model on the core of a setting.

    Raises WrongOutputError, TinyccError.
    """
    report = compiled.report
    result = run(folder, setting.core, golden_inputs(model.arrays, report, [0]), profile=True)
    model.check(result, report, setting.core)
    assert result.instructions is not None and result.stack_bytes is not None
    return Measurement(
        instructions=result.instructions,
        macs=report["macs"],
        arena_bytes=report["arena_bytes"],
        lower_bound_bytes=report["lower_bound_bytes"],
        stack_bytes=result.stack_bytes,
        code_bytes=result.code_bytes,
        const_bytes=result.const_bytes,
        weight_bytes=report["weight_bytes"],
        operators=tuple(Operator(item["name"], item["kind"], item["macs"]) for item in report["operators"]),
        operator_instructions=tuple(result.operator_instructions or ()),
        fingerprint=fingerprint(folder, setting.target),
    )


def measure_all(
    model: Model, settings: tuple[Setting, ...], known: dict[Setting, Measurement]
) -> Iterator[tuple[Setting, Measurement]]:
    """Measurements of a model in all settings, in the order in which they share generated sources.

    known: earlier ones; those whose fingerprint still holds are taken as they are.
    """
    for key in dict.fromkeys(setting.generated_by for setting in settings):
        group = [setting for setting in settings if setting.generated_by == key]
        compiled = tinycc.compile(
            model.path, target=group[0].core, kernels=group[0].kernels, optimize_for=group[0].optimize_for
        )
        with tempfile.TemporaryDirectory() as parent:
            folder = Path(parent) / "model"
            compiled.export(folder)
            for setting in group:
                old = known.get(setting)
                if old is not None and old.fingerprint == fingerprint(folder, setting.target):
                    yield setting, old
                else:
                    yield setting, measure(model, compiled, folder, setting)
