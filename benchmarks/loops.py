"""Inner loops of a program that was run: what they execute, and their cycles as llvm-mca estimates them."""

import re
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CODE_BYTES = 4 << 20  # as in count_instructions.c
ITERATIONS = 200
# The oldest LLVM with scheduling models of both cores.
LLVM_MCA, LLVM_OBJDUMP = "llvm-mca-19", "llvm-objdump-19"
TRIPLES = {"cortex-m7": "thumbv7em-none-eabi", "cortex-m55": "thumbv8.1m.main-none-eabi"}

_FUNCTION = re.compile(r"^[0-9a-f]{8} <(.+)>:$")
_INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)(?:\t(.*))?$")
_TARGET = re.compile(r"0x([0-9a-f]+) <[^>]*>$")
_BRANCHES = re.compile(r"^(b|le|letp)(eq|ne|cs|cc|mi|pl|vs|vc|hi|ls|ge|lt|gt|le)?(\.n|\.w)?$|^cbn?z")


@dataclass(frozen=True)
class Instruction:
    """One line of a disassembly.

    target: where it branches to within its function; None for others. executed: how often.
    """

    address: int
    mnemonic: str
    operands: str
    target: int | None
    executed: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates it does; multiplications of other kinds do not count."""
        name, _, item = self.mnemonic.partition(".")
        if name.startswith(("vmla", "vmlav", "vmlad")):
            return {"s8": 16, "u8": 16, "s16": 8, "u16": 8, "s32": 4, "u32": 4}.get(item, 0)
        if re.match(r"smla[dl]?d?x?$|smuadx?$", name) and "d" in name[3:]:
            return 2
        return int(bool(re.match(r"mla$|smla[bt][bt]$|smul[bt][bt]$", name)))


@dataclass(frozen=True)
class Loop:
    """An innermost loop: what most of its iterations execute."""

    function: str
    body: tuple[Instruction, ...]
    iterations: int

    @property
    def macs(self) -> int:
        """Of one iteration."""
        return sum(item.macs for item in self.body)

    @property
    def instructions(self) -> int:
        """Executed in all iterations."""
        return sum(item.executed for item in self.body)

    def assembly(self) -> str:
        """The body for an assembler; what branches elsewhere goes to its end."""
        inside = {item.address for item in self.body}
        lines = []
        for item in self.body:
            operands = item.operands
            if item.target is not None:
                label = f".L{item.target:x}" if item.target in inside else ".Lend"
                operands = _TARGET.sub(label, operands)
            # The assembler chooses the width itself; it stumbles over some that are given.
            mnemonic = item.mnemonic.removesuffix(".w").removesuffix(".n")
            lines.append(f".L{item.address:x}: {mnemonic} {operands}")
        return "\n".join([".syntax unified", ".thumb", *lines, ".Lend:", ""])

    def cycles(self, core: str) -> float:
        """Of one iteration among many, caches and tightly coupled memory never waiting."""
        # The models lack IT: it takes no time here.
        command = [LLVM_MCA, f"-mtriple={TRIPLES[core]}", f"-mcpu={core}", f"-iterations={ITERATIONS}"]
        command += ["-skip-unsupported-instructions=lack-sched"]
        done = subprocess.run(command, input=self.assembly(), capture_output=True, text=True, check=False)
        found = re.search(r"Total Cycles:\s+(\d+)", done.stdout)
        if done.returncode or found is None:
            raise ValueError(f"llvm-mca refuses a loop of {self.function}: {done.stderr[:300]}")
        return int(found[1]) / ITERATIONS


def read_functions(elf: Path, core: str, counts: np.ndarray) -> dict[str, list[Instruction]]:
    """The functions of a program with how often each instruction was executed.

    counts: uint64, for each half-word of code.
    """
    command = [LLVM_OBJDUMP, "-d", f"--triple={TRIPLES[core]}", f"--mcpu={core}", "--no-print-imm-hex"]
    command += ["--no-show-raw-insn", str(elf)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    functions: dict[str, list[Instruction]] = defaultdict(list)
    name = ""
    for line in text.splitlines():
        if head := _FUNCTION.match(line):
            name = head[1]
        elif found := _INSTRUCTION.match(line):
            address = int(found[1], 16)
            operands = (found[3] or "").split("@")[0].strip()
            target = _TARGET.search(operands) if _BRANCHES.match(found[2]) else None
            functions[name].append(
                Instruction(
                    address, found[2], operands, int(target[1], 16) if target else None,
                    int(counts[address % CODE_BYTES // 2]),
                )
            )  # fmt: skip
    return functions


def inner_loops(name: str, code: list[Instruction]) -> list[Loop]:
    """The innermost loops of a function that were executed at all, none sharing instructions with another.

    A loop that calls a function is none: the time is in the callee.
    """
    places = {item.address: index for index, item in enumerate(code)}
    spans = [
        (places[item.target], index)
        for index, item in enumerate(code)
        if item.executed and item.target in places and item.target <= item.address
    ]
    calls = [index for index, item in enumerate(code) if item.mnemonic in ("bl", "blx")]
    spans = [(first, last) for first, last in spans if not any(first <= call <= last for call in calls)]
    taken: list[tuple[int, int]] = []
    for first, last in sorted(spans, key=lambda span: span[1] - span[0]):
        if all(last < start or end < first for start, end in taken):
            taken.append((first, last))
    return [_loop(name, code[first : last + 1]) for first, last in taken]


def _loop(name: str, span: list[Instruction]) -> Loop:
    iterations = max(item.executed for item in span)
    # What few iterations execute, such as the way out of a saturation, is not of the loop's body.
    return Loop(name, tuple(item for item in span if 2 * item.executed >= iterations), iterations)
