"""What is installed: the list of packages, the content of the wheel, and who may import whom."""

import configparser
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).resolve().parent.parent
# The files that setup.cfg maps into the package, by their folder in the checkout.
SOURCES = {"tinycc": "tinycc", "passes": "tinycc/passes", "runtime_c": "tinycc/runtime_c"}
DATA_SUFFIXES = {".h", ".c", ".S", ".ld", ".j2", ".css", ".js", ".json", ".typed"}


def source_files() -> dict[str, Path]:
    """Each file of the package: its path in a wheel, and where it is in the checkout."""
    files = {}
    for folder, target in SOURCES.items():
        # rglob does not follow the symlinks tinycc/passes and tinycc/runtime_c: each file comes once.
        for path in (ROOT / folder).rglob("*"):
            name = f"{target}/{path.relative_to(ROOT / folder).as_posix()}"
            if path.is_file() and "__pycache__" not in path.parts:
                files[name] = path
    return files


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names in a wheel built from a copy of the checkout, so that nothing is left behind in it."""
    copy = tmp_path_factory.mktemp("checkout")
    output = tmp_path_factory.mktemp("wheel")
    for folder in SOURCES:
        shutil.copytree(
            ROOT / folder, copy / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index"]
    result = subprocess.run([*command, "-w", str(output), str(copy)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    (wheel,) = output.glob("tinycc_mcu-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_every_folder_with_an_init_file_is_a_listed_package() -> None:
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = set(config["options"]["packages"].split())
    found = {
        ".".join(PurePosixPath(name).parent.parts) for name in source_files() if name.endswith("/__init__.py")
    }
    assert listed == found


def test_the_wheel_has_every_source_file(wheel_names: set[str]) -> None:
    wanted = {name for name, path in source_files().items() if path.suffix in {".py", *DATA_SUFFIXES}}
    assert wanted <= wheel_names, sorted(wanted - wheel_names)
    assert "tinycc/py.typed" in wheel_names
    assert any(name.startswith("tinycc/runtime_c/kernels/") for name in wheel_names)


def test_the_wheel_has_one_top_level_package(wheel_names: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"tinycc"}


def test_passes_cannot_be_imported_by_the_name_of_their_folder() -> None:
    result = subprocess.run([sys.executable, "-c", "import passes"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode != 0
    assert "imported as tinycc.passes" in result.stderr


def test_imports_run_in_one_direction() -> None:
    result = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr
