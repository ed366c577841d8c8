"""Names from a file reach C, build files and the page as text, whatever they hold."""

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from tests.cli.conftest import Cli
from tests.cli.models import onnx_model
from tests.cli.test_generated_folder import STRICT, checked
from tests.tools.tflite_writer import TFLiteWriter
from tinycc.codegen.c_text import c_comment

NAMES = [
    "scope/*:0",
    "*/ int evil(void) { return *(int *)0; } /*",
    "/*/ //",
    "ends in a backslash \\",
    "ends in a trigraph ??/",
    "two\nlines\r\nmore\ttabs\0end",
    "\u202e\u2066 right to left \u2069",
    "b\u00e9b\u00e9 \u5165\u529b \U0001f600",
    "$(shell touch made) ${made} `touch made` %d %s",
    '#include "nothing.h"\n#error wrong',
    "<script>alert(1)</script> & \"quotes' {{ name }} {% raw %}",
]


def tflite_file(folder: Path) -> Path:
    """A file that has all the names at its edges, and one of its own that is no better."""
    net = TFLiteWriter()
    inputs, outputs = [], []
    for name in NAMES:
        inputs.append(net.add_tensor(name, (1, 4), scale=0.1))
        outputs.append(net.add_tensor(f"{name} ", (1, 4), scale=0.2))
        net.add_operator("QUANTIZE", inputs[-1:], outputs[-1:], "QuantizeOptions")
    path = folder / "a*\n??\\ \udcff .tflite"
    path.write_bytes(net.finish(inputs, outputs))
    return path


def onnx_file(folder: Path) -> Path:
    """The small model with one of the names for each of its edges and tensors."""
    model = onnx.load_model_from_string(onnx_model())
    tensors = ["x", "y", "xq", "xd", "c", "w", "wd", "cq", "scale", "zero"]
    names = dict(zip(tensors, [name for name in reversed(NAMES) if "\0" not in name], strict=True))
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.name = names.get(value.name, value.name)
    for node in model.graph.node:
        for side in (node.input, node.output):
            side[:] = [names.get(name, name) for name in side]
    path = folder / "*??\\.onnx"
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize("write", [tflite_file, onnx_file])
def test_a_folder_builds_without_a_warning(
    write: Callable[[Path], Path], cli: Cli, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    folder = tmp_path / "out"
    path = write(tmp_path)
    assert cli("compile", path, "-o", folder).code == 0
    for compiler in ("gcc", "clang"):
        require_tool(compiler)
        checked([compiler, *STRICT, "-trigraphs", "-Wcomment", "-c", "model.c", "-o", "model.o"], folder)
        checked([compiler, *STRICT, "-trigraphs", "-c", "main.c", "-o", "main.o"], folder)
    checked(["make", "-s", "libmodel.a"], folder)
    assert cli("run", folder).code == 0
    assert not (folder / "made").exists()
    for file in folder.rglob("*"):
        if file.suffix in (".c", ".h", ".txt") or file.name == "Makefile":
            assert file.read_text(encoding="utf-8").isascii(), file
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.parametrize("name", NAMES)
def test_a_comment_is_one_line_of_ascii_that_nothing_ends(name: str) -> None:
    text = c_comment(name)
    assert text.isascii() and text.isprintable() and not text.endswith("\\")
    assert not any(sign in text for sign in ("/*", "*/", "//", "??"))


def test_plain_names_stay_as_they_are() -> None:
    assert (
        c_comment("serving_default_input/conv2d_1:0 [1,3] -> x")
        == "serving_default_input/conv2d_1:0 [1,3] -> x"
    )
