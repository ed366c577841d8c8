"""Compilers and emulators: finding them, running them, reading section sizes."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tinycc.errors import ToolError
from tinycc.target import Target

EMULATOR_PACKAGES = {"qemu-system-arm": "qemu-system-arm", "qemu-system-riscv32": "qemu-system-misc"}
WARNINGS = ("-Wall", "-Wextra", "-Wconversion")


@dataclass(frozen=True)
class Sizes:
    """Bytes of the sections of an object or program."""

    code: int
    const: int
    data: int
    bss: int


def find_tool(program: str, packages: str) -> str:
    """Path of `program`. Raises ToolError that names the Debian packages to install."""
    path = shutil.which(program)
    if path is None:
        raise ToolError(f"{program} is not installed: try 'apt install {packages}'")
    return path


def host_compiler() -> str:
    """$CC, or the first of gcc, cc and clang that is installed."""
    chosen = os.environ.get("CC")
    if chosen:
        return find_tool(chosen, "gcc libc6-dev")
    for program in ("gcc", "cc", "clang"):
        if shutil.which(program):
            return program
    return find_tool("gcc", "gcc libc6-dev")


def quick_linker() -> list[str]:
    """The option for gold where it is installed: it links the sanitizers in a third of the time."""
    return ["-fuse-ld=gold"] if shutil.which("ld.gold") else []


def run_tool(command: list[str], what: str, *, where: Path) -> str:
    """What a compiler or linker, run in the folder `where`, printed. Raises ToolError on failure."""
    done = subprocess.run(command, cwd=where, capture_output=True, text=True, errors="replace", check=False)
    text = done.stdout + done.stderr
    if done.returncode != 0:
        raise ToolError(f"{what} failed: {first_error(text)}")
    return text


def first_error(text: str) -> str:
    """The line of a tool's output that best says what went wrong."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for mark in ("overflowed by", "error:", "undefined reference", "ERROR"):
        for line in lines:
            if mark in line:
                return line
    return lines[-1] if lines else "no message"


def section_sizes(target: Target, program: Path) -> Sizes:
    """Sizes of an ELF file by kind of section. Debug sections and notes do not count."""
    size_tool = find_tool(f"{target.compiler}size", target.packages if target.compiler else "binutils")
    text = run_tool([size_tool, "-A", "-d", str(program)], "size", where=program.parent)
    totals = {"code": 0, "const": 0, "data": 0, "bss": 0}
    for line in text.splitlines():
        fields = line.split()
        if len(fields) != 3 or not fields[1].isdigit():
            continue
        kind = _section_kind(fields[0])
        if kind:
            totals[kind] += int(fields[1])
    return Sizes(**totals)


def _section_kind(name: str) -> str | None:
    prefixes = {
        ".text": "code",
        ".rodata": "const",
        ".srodata": "const",
        ".data.rel.ro": "const",
        ".data": "data",
        ".sdata": "data",
        ".tdata": "data",
        ".bss": "bss",
        ".sbss": "bss",
        ".tbss": "bss",
    }
    for prefix, kind in prefixes.items():
        if name == prefix or name.startswith(prefix + "."):
            return kind
    return None
