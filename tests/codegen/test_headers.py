"""The kernels are C that any compiler takes, one by one and without a word."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tinycc import runtime_c
from tinycc.run.toolchain import WARNINGS

FOLDER = Path(runtime_c.__file__).parent
HEADERS = sorted((FOLDER / "kernels").rglob("*.h"))


@pytest.mark.parametrize("compiler", ["gcc", "clang", "arm-none-eabi-gcc"])
@pytest.mark.parametrize("header", HEADERS, ids=lambda path: path.stem)
def test_each_header_stands_alone(
    compiler: str, header: Path, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    source = tmp_path / "alone.c"
    source.write_text(f'#include "{header}"\nextern int unused;\n', encoding="utf-8")
    command = [require_tool(compiler), "-std=c99", *WARNINGS, "-Werror", "-c", str(source), "-o", "alone.o"]
    finished = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (finished.returncode, finished.stderr) == (0, "")


def test_formatting(require_tool: Callable[[str], str]) -> None:
    files = [str(path) for path in FOLDER.rglob("*") if path.suffix in (".c", ".h")]
    command = [require_tool("clang-format"), "--dry-run", "-Werror", *files]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr[:2000]
