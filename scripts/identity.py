"""Tell whether a refactoring left what is generated as it was.

    .venv/bin/python scripts/identity.py save FOLDER          before the move
    .venv/bin/python scripts/identity.py compare FOLDER       after it

`save` compiles models of the corpus (TINYCC_CORPUS) for one target of each set of features, in several
schedules and input modes, and keeps the generated folders; `compare` compiles them again. A folder is the
same if all of its files are, byte for byte; of report.json the passes are left out, and report.html, which
shows it. Where C differs and says the same but for its includes, the objects that -O2
makes of both are compared: code, constants and relocations. Anything else is a difference, and the exit code
is 1. A sample takes less than 5 minutes on two cores; `--all` takes every model of the corpus.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tinycc
from tinycc.errors import TinyccError
from tinycc.target import target_named

CORPUS = Path(os.environ.get("TINYCC_CORPUS", Path(__file__).parents[2] / "shared" / "corpus"))
# Larger files take longer than they tell.
MOST_BYTES = 1_500_000
REFUSAL = "refusal.txt"

WAYS: dict[str, dict[str, Any]] = {
    "portable": {"target": "cortex-m0"},
    "dsp": {"target": "cortex-m4"},
    "helium": {"target": "cortex-m55"},
    "portable_memory": {"target": "cortex-m0", "optimize_for": "memory"},
    "dsp_memory": {"target": "cortex-m4", "optimize_for": "memory"},
    "helium_memory": {"target": "cortex-m55", "optimize_for": "memory"},
    "dsp_wide": {"target": "cortex-m4", "flash": "4M"},
    "dsp_stream": {"target": "cortex-m4", "schedule": "stream"},
    "helium_patch": {"target": "cortex-m55", "schedule": "patch:2x2"},
    "dsp_again": {"target": "cortex-m4", "optimize_for": "memory", "max_extra_macs": "50%"},
    "portable_rows": {"target": "cortex-m0", "input_mode": "rows"},
    "dsp_rows": {"target": "cortex-m4", "input_mode": "rows", "optimize_for": "memory"},
    "helium_rows": {"target": "cortex-m55", "input_mode": "rows"},
    "dsp_float": {"target": "cortex-m4", "io": "float"},
}  # fmt: skip
# What a model of the sample is compiled in, where it is large.
LARGE: dict[str, tuple[str, ...]] = {
    "tflite/int8/te_vww.tflite": ("helium_memory",),
    "tflite/int8/te_detection.tflite": ("dsp", "helium_rows"),
    "tflite/int8/cfu_presence_20220117.tflite": ("dsp",),
    "tflite/int8/cfu_hps_2022_01_05_89ops.tflite": ("portable",),
    "tflite/int8/mlperf_vww_mbv1_int8.tflite": ("dsp_memory", "dsp_wide", "portable_rows"),
    "tflite/int8/openmv_fomo_face_detection.tflite": ("dsp_stream", "helium", "helium_patch"),
    "onnx/from_tflite_int8/mlperf_vww_mbv1_int8.onnx": ("helium_memory",),
}
SMALL = (
    "tflite/int8/mlperf_ad_ae_int8.tflite", "tflite/int8/mlperf_ic_resnet8_int8.tflite",
    "tflite/int8/mlperf_kws_dscnn_int8.tflite", "tflite/int8/mlperf_sww_int8.tflite",
    "tflite/int8/mltk_image_example1.tflite", "tflite/int8/cfu_magic_wand.tflite",
    "tflite/int8/tflm_keyword_scrambled.tflite", "tflite/int8/tflm_mnist_lstm_int8.tflite",
    "tflite/int8/tmaix_mnist_dw_q.tflite", "onnx/from_tflite_int8/mlperf_kws_dscnn_int8.onnx",
    "onnx/from_tflite_int8/mlperf_ic_resnet8_int8.onnx", "onnx/from_tflite_int8/mlperf_sww_int8.onnx",
)  # fmt: skip
FOLDERS = (
    "tflite/int8", "tflite/other", "tflite/layers", "tflite/float", "seanet", "faults", "streaming",
    "onnx/from_tflite_int8", "onnx/from_pkl_int8", "onnx/original", "onnx/from_tflite_float",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A model of the corpus and the way in which it is compiled."""

    model: str
    way: str

    @property
    def name(self) -> str:
        """Of its folder."""
        return f"{self.model.replace('/', '__')}--{self.way}"


def sample() -> list[Case]:
    """Models, targets, schedules and input modes; large ones first."""
    layers = sorted(path.relative_to(CORPUS).as_posix() for path in (CORPUS / "seanet").rglob("*.tflite"))
    cases = [Case(model, way) for model, ways in LARGE.items() for way in ways]
    cases += [Case(model, way) for model in SMALL for way in WAYS]
    return cases + [Case(model, way) for model in layers[::4] for way in ("portable", "dsp", "helium")]


def everything() -> list[Case]:
    """Every model of the corpus for each set of features."""
    found = [path for folder in FOLDERS for path in sorted((CORPUS / folder).rglob("*.*"))]
    models = [path for path in found if path.suffix in (".tflite", ".onnx")]
    models = sorted(
        (path for path in models if path.stat().st_size <= MOST_BYTES), key=lambda path: -path.stat().st_size
    )
    names = [path.relative_to(CORPUS).as_posix() for path in models]
    return [Case(name, way) for name in names for way in ("portable", "dsp", "helium_memory")]


def generate(case: Case, folder: Path) -> None:
    """Write the folder of a case, or what is said where there is none."""
    warnings.simplefilter("ignore")
    try:
        compiled = tinycc.compile(CORPUS / case.model, **WAYS[case.way])
        compiled.export(folder)
    except TinyccError as error:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / REFUSAL).write_text(str(error).replace(str(CORPUS), "CORPUS"), encoding="utf-8")


def verdict(case: Case, before: Path, after: Path) -> str:
    """What became of a case: "same", "same objects" or what differs."""
    old, new = _files(before), _files(after)
    if (REFUSAL in old) != (REFUSAL in new):
        return f"refused {'now' if REFUSAL in new else 'before'}: {old.get(REFUSAL, new.get(REFUSAL))}"
    if old == new:
        return "same"
    differing = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    if any(not name.endswith((".c", ".h")) and "/" not in name for name in differing):
        return "differs: " + ", ".join(differing) + _arenas(old, new)
    for name in (name for name in differing if "/" not in name):
        if _without_includes(old[name]) != _without_includes(new[name]):
            return f"differs: {name}" + _arenas(old, new)
    objects = [_object(case, folder) for folder in (before, after)]
    return "same objects" if objects[0] == objects[1] else "differs: objects"


def _arenas(old: dict[str, str], new: dict[str, str]) -> str:
    """The arenas of two folders, where they are not equal."""
    sizes = [json.loads(files.get("report.json", "{}")).get("arena_bytes", 0) for files in (old, new)]
    return "" if sizes[0] == sizes[1] else f" (arena {sizes[0]:,} before, {sizes[1]:,} now)"


def _files(folder: Path) -> dict[str, str]:
    """The files of a folder by name, each as far as it is compared."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "report.html":
            found[path.relative_to(folder).as_posix()] = _text(path)
    return found


def _text(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    if path.name == "Makefile":
        return text.replace("kernels/*/*.h", "kernels/*.h")
    if path.name != "report.json":
        return text
    report = json.loads(text)
    report.pop("passes", None)
    return json.dumps(report)


def _without_includes(text: str) -> str:
    return re.sub(r"^#include .*\n", "", text, flags=re.MULTILINE)


def _object(case: Case, folder: Path) -> str:
    """Sections and relocations of what the target's compiler makes of the C."""
    target = target_named(str(WAYS[case.way]["target"]))
    found = []
    with tempfile.TemporaryDirectory(prefix="identity-") as work:
        for source in sorted(folder.glob("*.c")):
            if source.name == "main.c":
                continue
            item = Path(work) / f"{source.stem}.o"
            flags = ["-std=c99", "-O2", "-g0", f"-I{folder}", *target.flags]
            subprocess.run([f"{target.compiler}gcc", *flags, "-c", source, "-o", item], check=True)
            dumped = subprocess.run(
                [f"{target.compiler}objdump", "-sr", "-j", ".text", "-j", ".rodata", "-j", ".bss", item],
                check=False,
                capture_output=True,
                text=True,
            )
            found.append(dumped.stdout.partition("\n\n")[2])
    return "\n".join(found)


def _run(job: tuple[Case, Path, bool]) -> tuple[Case, str]:
    case, baseline, is_saving = job
    saved = baseline / case.name
    if is_saving:
        shutil.rmtree(saved, ignore_errors=True)
        generate(case, saved)
        return case, "saved"
    with tempfile.TemporaryDirectory(prefix="identity-") as work:
        generate(case, Path(work) / "now")
        return case, verdict(case, saved, Path(work) / "now")


def main() -> int:
    """Parse the arguments, run, print a line for each difference and a count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("action", choices=("save", "compare"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="every model of the corpus")
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    cases = [case for case in (everything() if arguments.all else sample()) if arguments.only in case.name]
    jobs = [(case, arguments.folder, arguments.action == "save") for case in cases]
    counts: Counter[str] = Counter()
    with ProcessPoolExecutor(arguments.workers) as pool:
        for case, said in pool.map(_run, jobs):
            counts[said.partition(":")[0]] += 1
            if said not in ("same", "saved", "same objects"):
                print(f"{case.name}: {said}", flush=True)
    print(", ".join(f"{count} {said}" for said, count in counts.most_common()))
    return int(bool(set(counts) - {"same", "saved", "same objects"}))


if __name__ == "__main__":
    sys.exit(main())
