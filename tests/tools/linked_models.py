"""Linked models that take turns, as one model that the harness runs: an input and an output for each."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_HEADER = """#ifndef TURNS_H
#define TURNS_H
#include <stdint.h>
#define TURNS_ARENA_BYTES 8
{sizes}
typedef union {{ int64_t align; int8_t bytes[8]; }} turns_arena;
int8_t *turns_input(int index);
void turns_invoke(void);
const int8_t *turns_output(int index);
void turns_reset(void);
int8_t *turns_input_in(turns_arena *arena, int index);
void turns_invoke_in(turns_arena *arena);
const int8_t *turns_output_in(const turns_arena *arena, int index);
void turns_reset_in(turns_arena *arena);
#endif
"""

_SOURCE = """#include <string.h>
#include "turns.h"
#include "{link}.h"
{memory}
static int8_t *const inputs[] = {{{inputs}}};
static int8_t *const outputs[] = {{{outputs}}};
int8_t *turns_input(int index) {{ return inputs[index]; }}
const int8_t *turns_output(int index) {{ return outputs[index]; }}
void turns_reset(void) {{ {link}_reset(); }}
void turns_invoke(void)
{{
{steps}
}}
int8_t *turns_input_in(turns_arena *arena, int index) {{ (void)arena; return turns_input(index); }}
void turns_invoke_in(turns_arena *arena) {{ (void)arena; turns_invoke(); }}
const int8_t *turns_output_in(const turns_arena *arena, int index)
{{
    (void)arena;
    return turns_output(index);
}}
void turns_reset_in(turns_arena *arena) {{ (void)arena; turns_reset(); }}
"""

# What runs the model, fed by rows or not; what does not succeed leaves the output as it was.
_WHOLE = """    memcpy({f}_input(0), {x}, {x_bytes});
    if ({f}_invoke() == 1) {{ memcpy({y}, {f}_output(0), {y_bytes}); }}"""
_ROWS = """    for (int y = 0; y < {rows}; ++y) {{
        if ({f}_push_row((const void *)({x} + y * {row_bytes})) == 1) {{
            memcpy({y}, {f}_output(0), {y_bytes});
        }}
    }}"""


def take_turns(linked: Path, folders: Sequence[Path], path: Path) -> Path:
    """A folder like that of a compiled model, of which each inference is one of each linked model in turn.

    folders: of the models, in order; each has one input and one output.
    """
    shutil.copytree(linked, path)
    (path / "main.c").unlink()
    reports: list[dict[str, Any]] = [json.loads((folder / "report.json").read_text()) for folder in folders]
    link = json.loads((linked / "report.json").read_text())["name"]
    sizes, memory, steps = [], [], []
    for index, report in enumerate(reports):
        [source], [result] = report["inputs"], report["outputs"]
        sizes += [f"#define TURNS_INPUT_{index}_BYTES {source['bytes']}"]
        sizes += [f"#define TURNS_OUTPUT_{index}_BYTES {result['bytes']}"]
        memory += [f"static _Alignas(8) int8_t x{index}[{source['bytes']}], y{index}[{result['bytes']}];"]
        rows = source["shape"][1] if len(source["shape"]) == 4 else 1
        template = _ROWS if report["input_mode"] == "rows" else _WHOLE
        steps.append(
            template.format(
                f=f"{link}_{report['name']}", x=f"x{index}", y=f"y{index}", x_bytes=source["bytes"],
                y_bytes=result["bytes"], rows=rows, row_bytes=source["bytes"] // rows,
            )
        )  # fmt: skip
    places = {side: ", ".join(f"{side[0]}{index}" for index in range(len(reports))) for side in ("xs", "ys")}
    (path / "turns.h").write_text(_HEADER.format(sizes="\n".join(sizes)))
    (path / "turns.c").write_text(
        _SOURCE.format(
            link=link,
            memory="\n".join(memory),
            inputs=places["xs"],
            outputs=places["ys"],
            steps="\n".join(steps),
        )
    )
    described = {
        "name": "turns",
        "model": "turns",
        "operators": [],
        "inputs": [report["inputs"][0] for report in reports],
        "outputs": [report["outputs"][0] for report in reports],
        "macs": sum(report["macs"] for report in reports),
    }
    (path / "report.json").write_text(json.dumps(described))
    return path
