"""The generated C of a small model, line by line: `pytest --update-golden` writes it anew."""

from pathlib import Path

import pytest

import tinycc
from tests.conftest import CompileOnce
from tinycc.version import VERSION

GOLDEN = Path(__file__).parent / "golden"
MODEL = Path(__file__).parents[1] / "data" / "pieces_int8.tflite"


@pytest.mark.parametrize("file", ["model.c", "model.h", "main.c", "Makefile", "CMakeLists.txt"])
def test_generated_files(file: str, compile_once: CompileOnce, request: pytest.FixtureRequest) -> None:
    folder = compile_once(MODEL).folder
    text = (folder / file).read_text(encoding="utf-8").replace(VERSION, "VERSION")
    if request.config.getoption("--update-golden"):
        GOLDEN.mkdir(exist_ok=True)
        (GOLDEN / file).write_text(text, encoding="utf-8")
    assert text == (GOLDEN / file).read_text(encoding="utf-8")


def test_the_same_model_gives_the_same_folder(tmp_path: Path) -> None:
    for name in ("one", "other"):
        tinycc.compile(MODEL).export(tmp_path / name)
    files = sorted(
        path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()
    )
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "other" / file).read_bytes(), file
