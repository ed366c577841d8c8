"""What the user takes away: it builds with any C99 compiler, and is the same each time."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

import tinycc
from tests.cli.conftest import Cli

STRICT = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]

TWO_MODELS = """
#include <stdio.h>
#include <string.h>
#include "first/first.h"
#include "second/second.h"

int main(void)
{
    static first_arena own;
    first_reset();
    second_reset();
    first_reset_in(&own);
    memset(first_input(0), 5, FIRST_INPUT_0_BYTES);
    memset(first_input_in(&own, 0), 5, FIRST_INPUT_0_BYTES);
    memset(second_input(0), 5, SECOND_INPUT_0_BYTES);
    first_invoke();
    second_invoke();
    first_invoke_in(&own);
    printf("%d ", memcmp(first_output(0), second_output(0), FIRST_OUTPUT_0_BYTES));
    printf("%d\\n", memcmp(first_output(0), first_output_in(&own, 0), FIRST_OUTPUT_0_BYTES));
    return 0;
}
"""


def checked(command: list[str | Path], where: Path) -> str:
    """What a command printed; the test fails with it where the command does."""
    done = subprocess.run(list(map(str, command)), cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
@pytest.mark.parametrize("io", ["int8", "float"])
def test_makefile(
    compiler: str,
    io: str,
    cli: Cli,
    float_edges_file: Path,
    tmp_path: Path,
    require_tool: Callable[[str], str],
) -> None:
    require_tool(compiler)
    require_tool("make")
    folder = tmp_path / "out"
    assert cli("compile", float_edges_file, "-o", folder, "--name", "vision", "--io", io).code == 0
    checked(["make", f"CC={compiler}", f"CFLAGS=-O2 {' '.join(STRICT)}", "libvision.a", "example"], folder)
    assert checked(["./example"], folder)
    checked(["make", "clean"], folder)
    assert not (folder / "libvision.a").exists()


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_cmake(
    compiler: str, cli: Cli, tflite_file: Path, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    require_tool(compiler)
    require_tool("cmake")
    folder = tmp_path / "out"
    assert cli("compile", tflite_file, "-o", folder, "--name", "vision").code == 0
    options = [f"-DCMAKE_C_COMPILER={compiler}", f"-DCMAKE_C_FLAGS={' '.join(STRICT[1:])}"]
    checked(["cmake", "-S", folder, "-B", "build", *options], tmp_path)
    checked(["cmake", "--build", "build", "--target", "vision", "vision_example"], tmp_path)
    assert (tmp_path / "build" / "libvision.a").is_file()


@pytest.mark.parametrize("compiler", ["arm-none-eabi-gcc", "riscv64-unknown-elf-gcc"])
def test_cross_build_needs_nothing_but_the_folder(
    compiler: str, compiled: Path, require_tool: Callable[[str], str]
) -> None:
    require_tool(compiler)
    is_riscv = compiler.startswith("riscv")
    target = ["-march=rv32imc", "-mabi=ilp32"] if is_riscv else ["-mcpu=cortex-m0", "-mthumb"]
    library = ["--specs=picolibc.specs"] if is_riscv else []
    checked([compiler, *target, *library, *STRICT, "-O2", "-c", "model.c", "-o", "model.o"], compiled)
    undefined = set(checked([compiler.replace("gcc", "nm"), "-u", "model.o"], compiled).split()) - {"U"}
    # Helpers of the compiler for what the core cannot do, such as __aeabi_lmul, are no library of the user's.
    assert {name for name in undefined if not name.startswith("__")} <= {"memcpy", "memmove", "memset"}


def test_two_models_in_one_program(cli: Cli, tflite_file: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        assert cli("compile", tflite_file, "-o", tmp_path / name, "--name", name).code == 0
    (tmp_path / "program.c").write_text(TWO_MODELS)
    sources: list[str | Path] = ["program.c", "first/first.c", "second/second.c"]
    checked(["cc", *STRICT, "-I.", *sources, "-o", "program"], tmp_path)
    assert checked(["./program"], tmp_path) == "0 0\n"


def test_headers_serve_c_plus_plus(compiled: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("g++")
    (compiled / "user.cpp").write_text('#include "model.h"\nint main() { model_invoke(); return 0; }\n')
    checked(["cc", *STRICT, "-c", "model.c"], compiled)
    checked(["g++", "-Wall", "-Wextra", "-Werror", "user.cpp", "model.o", "-o", "user"], compiled)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_equal_models_give_equal_folders(
    cli: Cli, tflite_file: Path, onnx_file: Path, tmp_path: Path
) -> None:
    for model in (tflite_file, onnx_file):
        for name in ("one", "two"):
            assert cli("compile", model, "-o", tmp_path / name).code == 0
        assert content(tmp_path / "one") == content(tmp_path / "two")
        for name in ("one", "two"):
            shutil.rmtree(tmp_path / name)


def test_a_real_model_gives_equal_folders(corpus: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        tinycc.compile(corpus / "tflite" / "int8" / "te_vww.tflite").export(tmp_path / name)
    assert content(tmp_path / "one") == content(tmp_path / "two")
