"""The figures that no change may make worse: a few quick models on two cores, in baseline.json."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tinycc
from benchmarks.records import ROOT, compiler_version
from tests.tools.corpus import corpus_folder
from tinycc.run import run
from tinycc.target import TARGETS

BASELINE = ROOT / "benchmarks" / "baseline.json"
CORES = ("cortex-m4", "cortex-m55")
# Of the project, so always there.
OWN = (
    "models/spoken_digits/spoken_digits.onnx",
    "tests/data/mobile_int8.tflite",
    "tests/data/pieces_int8.tflite",
)
# Of the corpus; together they have every kind of layer that matters.
OF_CORPUS = ("mlperf_ad_ae_int8", "mlperf_kws_dscnn_int8", "tflm_micro_speech_int8", "tmaix_cifar10_q")
# By how much a figure may grow.
TOLERANCE = 0.01


@dataclass(frozen=True)
class Figures:
    """What is compared; random inputs of a fixed seed."""

    instructions: int
    code_bytes: int
    const_bytes: int
    arena_bytes: int
    stack_bytes: int


def model_paths() -> dict[str, Path]:
    """The models of the baseline by name; those of the corpus may be absent."""
    folder = corpus_folder() / "tflite" / "int8"
    own = {Path(name).stem: ROOT / name for name in OWN}
    return own | {name: folder / f"{name}.tflite" for name in OF_CORPUS}


def figures_of(path: Path, core: str) -> Figures:
    """Compile a model and run it once."""
    compiled = tinycc.compile(path, target=core)
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "model"
        compiled.export(folder)
        result = run(folder, core)
    assert result.instructions is not None and result.stack_bytes is not None
    return Figures(
        result.instructions,
        result.code_bytes,
        result.const_bytes,
        compiled.report["arena_bytes"],
        result.stack_bytes,
    )


def read_baseline(core: str) -> tuple[str, dict[str, Figures]]:
    """The compiler whose figures these are, and the figures by model."""
    entry = json.loads(BASELINE.read_text(encoding="utf-8"))[core]
    return entry["compiler"], {name: Figures(**fields) for name, fields in entry["models"].items()}


def update_baseline() -> Path:
    """Measure all models and write baseline.json; its path."""
    missing = [str(path) for path in model_paths().values() if not path.exists()]
    if missing:
        raise SystemExit(f"the baseline needs all of its models: no {', '.join(missing)}")
    lines = []
    for core in CORES:
        models = [
            f"  {json.dumps(name)}: {json.dumps(vars(figures_of(path, core)))}"
            for name, path in model_paths().items()
        ]
        compiler = json.dumps(compiler_version(TARGETS[core]))
        lines.append(
            f'"{core}": {{\n "compiler": {compiler},\n "models": {{\n' + ",\n".join(models) + "\n }}"
        )
    BASELINE.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")
    return BASELINE


def grown(before: Figures, after: Figures) -> list[str]:
    """A line for each figure that grew by more than the tolerance."""
    return [
        f"{name}: {old:,} -> {vars(after)[name]:,} (+{vars(after)[name] / old - 1:.1%})"
        for name, old in vars(before).items()
        if vars(after)[name] > old * (1 + TOLERANCE)
    ]
