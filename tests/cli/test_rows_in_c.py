"""The C of a model that is fed by rows, as firmware uses it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Cli
from tests.cli.test_generated_folder import STRICT, checked

# Rows of the file "case", pushed as the argument says; then the outputs.
PROGRAM = """
#include <stdio.h>
#include <string.h>
#include "model.h"

static int8_t image[MODEL_INPUT_0_BYTES];
static model_arena arenas[2];

static void print_output(const int8_t *output)
{
    fwrite(output, 1, MODEL_OUTPUT_0_BYTES, stdout);
}

/* Two rows of an image that is given up, then the image, every other row in place. */
static void interrupted(void)
{
    model_push_row(image);
    model_push_row(image);
    model_reset();
    for (int y = 0; y < MODEL_INPUT_0_ROWS; ++y) {
        const int8_t *row = image + y * MODEL_INPUT_0_ROW_BYTES;
        if (y % 2) {
            memcpy(model_row(), row, MODEL_INPUT_0_ROW_BYTES);
            row = model_row();
        }
        printf("%d", model_push_row(row));
    }
    print_output(model_output(0));
}

/* Two instances that take turns, the second one row behind. */
static void interleaved(void)
{
    model_reset_in(&arenas[0]);
    model_reset_in(&arenas[1]);
    for (int y = 0; y <= MODEL_INPUT_0_ROWS; ++y) {
        if (y < MODEL_INPUT_0_ROWS) {
            model_push_row_in(&arenas[0], image + y * MODEL_INPUT_0_ROW_BYTES);
        }
        if (y > 0) {
            model_push_row_in(&arenas[1], image + (y - 1) * MODEL_INPUT_0_ROW_BYTES);
        }
    }
    print_output(model_output_in(&arenas[0], 0));
    print_output(model_output_in(&arenas[1], 0));
}

int main(void)
{
    FILE *file = fopen("case", "rb");
    if (file == NULL || fread(image, 1, sizeof image, file) != sizeof image) {
        return 1;
    }
    interrupted();
    interleaved();
    return fclose(file);
}
"""


@pytest.fixture
def fed(cli: Cli, tflite_file: Path, tmp_path: Path) -> Path:
    """A model that is fed by rows."""
    assert cli("compile", tflite_file, "-o", tmp_path / "rows", "--input-mode", "rows").code == 0
    return tmp_path / "rows"


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_rows_of_an_image(
    compiler: str, fed: Path, cli: Cli, tflite_file: Path, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    require_tool(compiler)
    case = np.random.default_rng(0).integers(-128, 128, (1, 4, 4, 2)).astype(np.int8)
    (fed / "case").write_bytes(case.tobytes())
    (fed / "program.c").write_text(PROGRAM)
    checked([compiler, *STRICT, "program.c", "model.c", "-o", "program"], fed)
    np.savez(tmp_path / "in.npz", in0=case)
    assert cli("compile", tflite_file, "-o", tmp_path / "whole").code == 0
    arguments = ("--input", tmp_path / "in.npz", "--output", tmp_path / "out.npz")
    assert cli("run", tmp_path / "whole", *arguments).code == 0
    with np.load(tmp_path / "out.npz") as outputs:
        expected = outputs["out0"].tobytes()
    (fed / "out").write_bytes(b"")
    checked(["sh", "-c", "./program > out"], fed)
    assert (fed / "out").read_bytes() == b"0001" + 3 * expected


def test_the_header_offers_rows_and_no_whole_input(fed: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("g++")
    header = (fed / "model.h").read_text()
    assert "#define MODEL_INPUT_0_ROWS 4\n#define MODEL_INPUT_0_ROW_BYTES 8\n" in header
    assert "int model_push_row(const int8_t *row);" in header and "model_input" not in header
    (fed / "user.cpp").write_text('#include "model.h"\nint main() { return model_push_row(model_row()); }\n')
    checked(["cc", *STRICT, "-c", "model.c"], fed)
    checked(["g++", "-Wall", "-Wextra", "-Werror", "user.cpp", "model.o", "-o", "user"], fed)
    checked(["./user"], fed)


def test_the_example_feeds_rows(fed: Path) -> None:
    checked(["make", "-s", f"CFLAGS={' '.join(STRICT[1:])}", "example"], fed)
    assert len(checked(["./example"], fed).split()) == 3


def test_patches_need_the_whole_input(cli: Cli, tflite_file: Path, tmp_path: Path) -> None:
    options = ("--input-mode", "rows", "--schedule", "patch:2x2")
    outcome = cli("compile", tflite_file, "-o", tmp_path / "out", *options)
    assert outcome.code == 2 and "patches need the whole input" in outcome.stderr
