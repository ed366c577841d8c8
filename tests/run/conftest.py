"""A model folder written by hand, so that running is tested without the compiler before it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HEADER = """
#ifndef MODEL_H
#define MODEL_H
#include <stdint.h>
#define MODEL_ARENA_BYTES {arena}
#define MODEL_INPUTS 1
#define MODEL_OUTPUTS 1
#define MODEL_INPUT_0_BYTES 12
#define MODEL_OUTPUT_0_BYTES 12
#define MODEL_OPERATORS 2
typedef union {{ int64_t align; int8_t bytes[MODEL_ARENA_BYTES]; }} model_arena;
int8_t *model_input(int index);
void model_invoke(void);
const int8_t *model_output(int index);
void model_reset(void);
int8_t *model_input_in(model_arena *arena, int index);
void model_invoke_in(model_arena *arena);
const int8_t *model_output_in(const model_arena *arena, int index);
void model_reset_in(model_arena *arena);
#if defined(MODEL_TRACE)
void model_trace(int operator_index, const int8_t *output);
#endif
#endif
"""

# y = x + 1, saturating, then y = x + counter, where the counter starts at 0 after a reset.
SOURCE = """
#include "model.h"
static model_arena arena;
static const int8_t one[4] = {{1, 1, 1, 1}};
int8_t *model_input_in(model_arena *a, int index) {{ (void)index; return a->bytes; }}
const int8_t *model_output_in(const model_arena *a, int index) {{ (void)index; return a->bytes + 16; }}
void model_reset_in(model_arena *a) {{ a->bytes[32] = 0; }}
void model_invoke_in(model_arena *a) {{
    for (int32_t i = 0; i < 12; ++i) {{
        const int32_t sum = a->bytes[i] + one[i & 3];
        a->bytes[16 + i] = (int8_t)(sum > 127 ? 127 : sum);
    }}
#if defined(MODEL_TRACE)
    model_trace(0, a->bytes + 16);
#endif
    {extra}
    for (int32_t i = 0; i < 12; ++i) {{
        a->bytes[16 + i] = (int8_t)(a->bytes[16 + i] + a->bytes[32]);
    }}
    a->bytes[32] = (int8_t)(a->bytes[32] + 1);
#if defined(MODEL_TRACE)
    model_trace(1, a->bytes + 16);
#endif
}}
int8_t *model_input(int index) {{ return model_input_in(&arena, index); }}
const int8_t *model_output(int index) {{ return model_output_in(&arena, index); }}
void model_invoke(void) {{ model_invoke_in(&arena); }}
void model_reset(void) {{ model_reset_in(&arena); }}
"""

EDGE: dict[str, Any] = {
    "name": "x",
    "shape": [1, 2, 2, 3],
    "dtype": "int8",
    "bytes": 12,
    "scale": 0.5,
    "zero_point": -3,
    "file_dtype": "int8",
    "file_shape": [1, 2, 2, 3],
    "permutation": [],
}

WriteModel = Callable[..., Path]


@pytest.fixture
def write_model(tmp_path: Path) -> WriteModel:
    """Writes a model folder; `extra` is C within the invocation, `edge` and `report` change report.json."""

    def write(
        extra: str = "",
        arena: int = 64,
        edge: dict[str, Any] | None = None,
        report: dict[str, Any] | None = None,
    ) -> Path:
        folder = tmp_path / "model"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "model.h").write_text(HEADER.format(arena=arena))
        (folder / "model.c").write_text(SOURCE.format(extra=extra))
        (folder / "main.c").write_text("#error the example is not part of the model\n")
        operator = {"kind": "add", "output_shape": [1, 2, 2, 3], "output_dtype": "int8"}
        tensor = {**EDGE, **(edge or {})}
        values = {
            "name": "model",
            "macs": 0,
            "inputs": [tensor],
            "outputs": [tensor],
            "operators": [{**operator, "name": "one"}, {**operator, "name": "counter"}],
            "sram_bytes": None,
            "flash_bytes": None,
            **(report or {}),
        }
        (folder / "report.json").write_text(json.dumps(values))
        return folder

    return write
