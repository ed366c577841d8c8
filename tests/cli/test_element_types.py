"""The C API has the element types of the edges, as C and C++ compilers see them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Cli
from tests.cli.test_generated_folder import STRICT, checked
from tests.tools.edge_models import INPUTS, OUTPUTS, EdgeType, tflite_model
from tests.tools.tflite_writer import run_litert

C_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "float32": "float"}
OF_ONE_TYPE = [
    (source, next(output for output in OUTPUTS if output.dtype == source.dtype)) for source in INPUTS
]

TENSORS = """
#include "model.h"

int main()
{
    static model_arena arena;
    TYPE *input = model_input(0);
    const TYPE *output = model_output(0);
    input[0] = 1;
    model_invoke();
    input = model_input_in(&arena, 0);
    return input == model_input_in(&arena, 0) && output != model_output_in(&arena, 0) ? 0 : 1;
}
"""
ROWS = """
#include "model.h"

int main()
{
    static model_arena arena;
    TYPE *row = model_row();
    const TYPE *output = model_output(0);
    model_push_row(row);
    row = model_row_in(&arena);
    return model_push_row_in(&arena, row) == 0 && output != model_output_in(&arena, 0) ? 0 : 1;
}
"""
MIXED = """
#include "model.h"

int main()
{
    float *real = MODEL_INPUT_0;
    int8_t *eight = MODEL_INPUT_1;
    uint8_t *byte = MODEL_INPUT_2;
    int16_t *sixteen = MODEL_INPUT_4;
    const int8_t *result = MODEL_OUTPUT_0;
    const float *real_result = MODEL_OUTPUT_4;
    void *any = model_input(3);
    real[0] = 1.0f;
    eight[0] = -1;
    byte[0] = 255;
    sixteen[0] = 1000;
    model_invoke();
    return any == MODEL_INPUT_3 && result[0] != -100 && real_result[0] < 100.0f ? 0 : 1;
}
"""


def compiled(cli: Cli, folder: Path, model: bytes, *options: str) -> Path:
    (folder / "model.tflite").write_bytes(model)
    arguments = ("compile", folder / "model.tflite", "-o", folder / "out", "--io", "float", *options)
    assert cli(*arguments).code == 0
    return folder / "out"


def check_program(folder: Path, text: str, compilers: tuple[str, ...] = ("gcc", "clang", "g++")) -> None:
    """The program builds without a warning and ends well."""
    for compiler in compilers:
        language = "cpp" if compiler == "g++" else "c"
        (folder / f"user.{language}").write_text(text)
        flags = ["-Wall", "-Wextra", "-Werror"] if compiler == "g++" else STRICT
        checked(["gcc", *STRICT, "-c", "model.c"], folder)
        checked([compiler, *flags, f"user.{language}", "model.o", "-o", "user"], folder)
        checked(["./user"], folder)


@pytest.mark.parametrize(("source", "output"), OF_ONE_TYPE)
def test_pointers_to_edges_of_one_type(
    source: EdgeType, output: EdgeType, cli: Cli, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    for tool in ("clang", "g++"):
        require_tool(tool)
    folder = compiled(cli, tmp_path, tflite_model([source], [output]))
    check_program(folder, TENSORS.replace("TYPE", C_TYPES[source.dtype]))
    checked(["make", "-s", f"CFLAGS={' '.join(STRICT[1:])}", "example"], folder)
    assert len(checked(["./example"], folder).split()) == 16
    if source.dtype != "float32":
        assert f"#define MODEL_INPUT_0_ZERO_POINT {source.zero_point}\n" in (folder / "model.h").read_text()


@pytest.mark.parametrize(("source", "output"), [OF_ONE_TYPE[index] for index in (0, 2, 4)])
def test_rows_have_the_type_of_the_input(
    source: EdgeType, output: EdgeType, cli: Cli, tmp_path: Path
) -> None:
    model, cases = tflite_model([source], [output]), source.cases(3, 0)
    folder = compiled(cli, tmp_path, model, "--input-mode", "rows")
    np.savez(tmp_path / "in.npz", in0=cases)
    arguments = ("--input", tmp_path / "in.npz", "--output", tmp_path / "out.npz", "--sanitize")
    assert cli("run", folder, *arguments).code == 0
    with np.load(tmp_path / "out.npz") as outputs:
        np.testing.assert_array_equal(outputs["out0"], run_litert(model, [cases])[0])
    check_program(folder, ROWS.replace("TYPE", C_TYPES[source.dtype]), ("gcc",))


def test_edges_of_several_types_have_names_of_their_own(
    cli: Cli, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    for tool in ("clang", "g++"):
        require_tool(tool)
    folder = compiled(cli, tmp_path, tflite_model())
    header = (folder / "model.h").read_text()
    assert "void *model_input(int index);" in header and "const void *model_output(int index);" in header
    check_program(folder, MIXED)


def test_int8_on_request(cli: Cli, tmp_path: Path) -> None:
    folder = compiled(cli, tmp_path, tflite_model([INPUTS[2]], [OUTPUTS[1]]), "--io", "int8")
    check_program(folder, TENSORS.replace("TYPE", "int8_t"), ("gcc",))
    assert "#define MODEL_INPUT_0_ZERO_POINT -5\n" in (folder / "model.h").read_text()
