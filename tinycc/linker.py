"""Several compiled models in one firmware, which share the memory of an inference; their states stand apart.

Each model's header says where its working memory and its states begin in its arena. Here they are moved: the
working memory of all models begins at 0, the states of one lie behind those of the other. Else the C of the
models stays as it is; functions around it let one model after the other have the memory.
"""

import json
import re
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tinycc.codegen import check_name
from tinycc.codegen.c_text import c_comment, c_type
from tinycc.codegen.rendering import render
from tinycc.errors import BudgetError, OutputError, UnsupportedError
from tinycc.output_folder import new_folder
from tinycc.run.folder import damaged_report, read_folder, read_report
from tinycc.target import parse_size
from tinycc.version import VERSION

# What states are aligned to.
_ALIGNMENT = 8
_FILES = ("firmware.c", "firmware.h", "main.c", "Makefile", "CMakeLists.txt")


@dataclass(frozen=True)
class _Model:
    """A compiled model.

    header: the text of its header. work_bytes, state_bytes: the parts of its arena.
    """

    folder: Path
    name: str
    report: dict[str, Any]
    header: str
    work_bytes: int
    state_bytes: int

    @property
    def macro(self) -> str:
        """Prefix of its macros."""
        return self.name.upper()

    def moved(self, states_offset: int) -> str:
        """Its header with working memory at 0 and states at an offset of what is then its arena."""
        if not self.state_bytes:
            return self.header
        places = {"WORK": 0, "STATES": states_offset, "ARENA_BYTES": states_offset + self.state_bytes}
        header = self.header
        for part, value in places.items():
            header = re.sub(rf"(?m)^(#define {self.macro}_{part}) \d+$", rf"\1 {value}", header)
        return header

    def described(self) -> dict[str, Any]:
        """What the templates say of it."""
        return {
            "name": self.name,
            "macro": self.macro,
            "title": c_comment(str(self.report["model"])),
            "by_rows": self.report["input_mode"] == "rows",
            "input_type": _pointed_type(self.report["inputs"]),
            "output_type": _pointed_type(self.report["outputs"]),
            "inputs": [
                {"fill": edge["zero_point"] if edge["dtype"] in ("int8", "uint8") else 0}
                for edge in self.report["inputs"]
            ],
        }


def _pointed_type(edges: Sequence[dict[str, Any]]) -> str:
    """The type that the model's functions point to: void where edges differ."""
    types = {c_type(str(edge["dtype"])) for edge in edges} or {"int8_t"}
    return types.pop() if len(types) == 1 else "void"


def link(
    folders: Sequence[str | Path],
    output: str | Path,
    *,
    name: str = "firmware",
    sram: str | int | None = None,
) -> dict[str, Any]:
    """Write a folder of C with several compiled models, which share the memory of an inference.

    folders: made by `tinycc compile`, for one target and each with a name of its own.
    output: must not exist, or be an empty folder. name: prefix of the C symbols, and of source and header.
    sram: budget of the memory in bytes or as "320K".
    Returns what report.json has: the bytes of each model, and memory_bytes, of them shared_bytes and
    state_bytes, beside separate_bytes that the models would take without sharing.
    Raises OutputError, UnsupportedError, BudgetError.
    """
    models = [_read(Path(folder)) for folder in folders]
    _check(models, name)
    shared = max(model.work_bytes for model in models)
    offsets, end = [], shared
    for model in models:
        offsets.append(_aligned(end) if model.state_bytes else end)
        end = offsets[-1] + model.state_bytes
    report = _report(models, name, shared, end)
    budget = None if sram is None else sram if isinstance(sram, int) else parse_size(sram)
    if budget is not None and end > budget:
        raise BudgetError(
            f"the models need {end:,} bytes, {end - budget:,} more than the {budget:,} bytes of SRAM given: "
            f"{shared:,} that they share and {report['state_bytes']:,} of states"
        )
    with new_folder(Path(output)) as folder:
        _write(models, offsets, report, folder)
    return report


def _aligned(offset: int) -> int:
    return -(-offset // _ALIGNMENT) * _ALIGNMENT


def _read(folder: Path) -> _Model:
    generated, report = read_folder(folder), read_report(folder)
    header = (generated.path / f"{generated.name}.h").read_text(encoding="utf-8")
    found = re.findall(
        rf"(?m)^#define {generated.name.upper()}_(WORK|STATES|STATE_BYTES|ARENA_BYTES) (\d+)$", header
    )
    sizes = {part: int(size) for part, size in found}
    states = ("WORK", "STATES", "STATE_BYTES")
    with damaged_report(folder):
        if "ARENA_BYTES" not in sizes or (any(part in sizes for part in states) != ("STATES" in sizes)):
            raise OutputError(f"{folder} was compiled by another version of tinycc: compile the model again")
        if report["tinycc_version"] != VERSION or {"model", "input_mode", "target"} - report.keys():
            raise OutputError(f"{folder} was compiled by another version of tinycc: compile the model again")
        work = sizes["ARENA_BYTES"]
        if "STATES" in sizes:
            work = (sizes["STATES"] if sizes["STATES"] > sizes["WORK"] else work) - sizes["WORK"]
        return _Model(generated.path, generated.name, report, header, work, sizes.get("STATE_BYTES", 0))


def _check(models: Sequence[_Model], name: str) -> None:
    """UnsupportedError where models cannot be in one program."""
    if len(models) < 2:
        raise UnsupportedError("give two compiled models or more to link")
    check_name(name)
    [(most, count)] = Counter([name, *(model.name for model in models)]).most_common(1)
    if count > 1:
        raise UnsupportedError(
            f"{most!r} is the name of more than one: compile each model with a --name of its own"
        )
    targets = sorted({str(model.report["target"]) for model in models})
    if len(targets) > 1:
        raise UnsupportedError(f"the models are compiled for {' and '.join(targets)}: choose one --target")


def _report(models: Sequence[_Model], name: str, shared: int, end: int) -> dict[str, Any]:
    return {
        "tinycc_version": VERSION,
        "name": name,
        "target": models[0].report["target"],
        "memory_bytes": end,
        "shared_bytes": shared,
        "state_bytes": sum(model.state_bytes for model in models),
        "separate_bytes": sum(model.report["arena_bytes"] for model in models),
        "models": [
            {
                "name": model.name,
                "model": model.report["model"],
                "work_bytes": model.work_bytes,
                "state_bytes": model.state_bytes,
                "weight_bytes": model.report["weight_bytes"],
            }
            for model in models
        ],
    }


def _write(models: Sequence[_Model], offsets: Sequence[int], report: dict[str, Any], folder: Path) -> None:
    name = report["name"]
    for model, offset in zip(models, offsets, strict=True):
        shutil.copyfile(model.folder / f"{model.name}.c", folder / f"{model.name}.c")
        (folder / f"{model.name}.h").write_text(model.moved(offset), encoding="utf-8")
        shutil.copytree(model.folder / "kernels", folder / "kernels", dirs_exist_ok=True)
    context = {
        **report,
        "macro": name.upper(),
        "version": VERSION,
        "title": c_comment(", ".join(str(model.report["model"]) for model in models)),
        "models": [model.described() for model in models],
    }
    for template in _FILES:
        text = render(f"linked/{template}", context)
        (folder / template.replace("firmware", name)).write_text(text, encoding="utf-8")
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
