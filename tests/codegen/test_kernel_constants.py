"""Numbers that the compiler reads from the kernels' headers are those that a C compiler sees there."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tinycc import runtime_c
from tinycc.runtime_c.constants import constant

FOLDER = Path(runtime_c.__file__).parent / "kernels"
READ = {
    "accumulate_dsp.h": ("TINYCC_CHANNEL_SUMS_TAPS", "TINYCC_DSP_CHANNELS", "TINYCC_DENSE_DSP_BLOCK"),
    "depthwise_conv2d_dsp.h": ("TINYCC_DEPTHWISE_DSP_WORDS", "TINYCC_DEPTHWISE_DSP_CONSTANT"),
    "dsp.h": ("TINYCC_DSP_RECTIFIED", "TINYCC_DSP_FULL", "TINYCC_DSP_CLAMPED", "TINYCC_DSP_LARGE"),
    "conv2d_helium.h": ("TINYCC_CONV2D_STACK", "TINYCC_DOT_STEP", "TINYCC_LANES"),
}


@pytest.mark.parametrize("header", READ)
def test_what_is_read_is_what_is_compiled(
    header: str, tmp_path: Path, require_tool: Callable[[str], str]
) -> None:
    found = next(FOLDER.rglob(header))
    checks = [f"extern char {name}_is[{name} == {constant(name)} ? 1 : -1];" for name in READ[header]]
    source = tmp_path / "constants.c"
    source.write_text("\n".join([f'#include "{found}"', *checks]), encoding="utf-8")
    command = [require_tool("gcc"), "-std=c99", "-fsyntax-only", str(source)]
    finished = subprocess.run(command, capture_output=True, text=True)
    assert (finished.returncode, finished.stderr) == (0, "")


@pytest.mark.parametrize("name", ["TINYCC_NOT_THERE", "TINYCC_MVE", "TINYCC_INLINE"])
def test_what_is_not_one_integer_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        constant(name)
