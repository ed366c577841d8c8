"""The pages in examples/: what they show is what the commands print. `--update-golden` writes it anew."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"(?<=^```console\n).*?(?=^```$)", re.DOTALL | re.MULTILINE)


def printed(command: str, folder: Path) -> str:
    """What a command prints on a terminal of 100 columns, without blanks at the ends of lines."""
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"COLUMNS": "100", "PATH": tools, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    lines = [line.rstrip() for line in run.stdout.splitlines()]
    return "\n".join(lines).strip("\n")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["why_does_it_not_fit.md"])
def test_commands_print_what_the_page_shows(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "models").symlink_to(ROOT / "models")
    (tmp_path / "build").mkdir()

    def shown(block: re.Match[str]) -> str:
        commands = [line for line in block[0].splitlines() if line.startswith("$ ")]
        return "".join(f"{command}\n{printed(command[2:], tmp_path)}\n" for command in commands)

    page = ROOT / "examples" / name
    expected = BLOCK.sub(shown, page.read_text(encoding="utf-8"))
    if request.config.getoption("--update-golden"):
        page.write_text(expected, encoding="utf-8")
    assert page.read_text(encoding="utf-8") == expected


@pytest.mark.slow
@pytest.mark.emulator
def test_a_searched_network_runs_on_the_micro_bit(require_tool: Callable[[str], str], tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the search needs the extra tinycc[search]")
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    script = ROOT / "examples" / "search_for_a_board" / "search_for_a_board.py"
    told = printed(f"python {script} --quick --output {tmp_path}", tmp_path)
    assert "on: microbit (Cortex-M0, 16 KB SRAM, 256 KB flash, emulated)\n" in told
    taken = re.search(r"SRAM +([\d,]+) bytes of 16,384", told)
    assert taken and int(taken[1].replace(",", "")) < 16_384
    assert re.search(r"accuracy +\d+\.\d%", told) and re.search(r"instructions +[\d,]+ a picture", told)
    assert (tmp_path / "quick" / "found" / "search.html").is_file()
