"""What `import tvm` finds of tinycc where it is installed."""

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder with what pip leaves of an installed tinycc for others to find: its entry points."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    points = config["options.entry_points"]["tvm.backends"].strip()
    folder = tmp_path / "tinycc_mcu-0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: tinycc-mcu\nVersion: 0\n")
    (folder / "entry_points.txt").write_text(f"[tvm.backends]\n{points}\n")
    return tmp_path


def printed(code: str, folder: Path) -> str:
    """What a fresh Python prints in which warnings are errors."""
    path = f"{ROOT}:{folder}"
    command = [sys.executable, "-W", "error", "-c", code]
    run = subprocess.run(command, env={"PYTHONPATH": path, "PATH": ""}, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


FOUND = """
from tvm import relax
assert tvm.get_global_func("relax.ext.tinycc") is not None
assert "tinycc.compiler" not in sys.modules and "tinycc.passes" not in sys.modules
print(relax.get_pipeline("tinycc", target="cortex-m7").info.name)
"""


@pytest.mark.parametrize("first", ["", "import tinycc; "])
def test_tvm_finds_it_and_imports_nothing_behind_it(first: str, installed: Path) -> None:
    assert printed(f"{first}import sys, tvm\n{FOUND}", installed) == "tinycc"


def test_whatever_of_tinycc_imports_tvm_is_no_circle(installed: Path) -> None:
    assert printed("import tinycc.tvm_adapter, tinycc.compiler; print(1)", installed) == "1"


def test_registering_takes_no_time(installed: Path) -> None:
    code = "import time, tvm.base, tvm; start = time.perf_counter(); import importlib\n"
    code += "import sys; [sys.modules.pop(name) for name in list(sys.modules) if name.startswith('tinycc')]\n"
    code += "from tinycc.byoc.backend import register; register(); print(time.perf_counter() - start)"
    assert float(printed(code, installed)) < 0.02
