"""The processors tinycc compiles for, and the emulated boards that stand for them.

A `Target` says how to compile for a core and what the core can do; its `boards` are the QEMU machines it
is run on, in order of preference: where a program does not fit the first, the next is tried.
"""

import re
from dataclasses import dataclass

from tinycc.errors import UnsupportedError

KIB = 1024
MIB = 1024 * KIB


@dataclass(frozen=True)
class Region:
    """Memory of a board: first address and length in bytes."""

    origin: int
    length: int


@dataclass(frozen=True)
class Board:
    """One emulated machine.

    name: what reports call it.
    emulator, machine: QEMU's program and the value of its -machine (with -cpu options, if any).
    vectors: where the core looks for its vector table, or None where the program starts at `flash`.
    flash, sram: regions the linker script may fill.
    clock: header in runtime_c/boards that reads the board's counter.
    """

    name: str
    emulator: str
    machine: tuple[str, ...]
    vectors: Region | None
    flash: Region
    sram: Region
    clock: str


@dataclass(frozen=True)
class Target:
    """One processor core.

    compiler: prefix of the GNU tools ("" for the host's own).
    flags: options that choose the core for gcc.
    features: what the core offers to kernels: "dsp" (Armv7E-M SIMD), "helium" (MVE), "fpu".
    startup: C file of runtime_c/boards with reset and fault handling; "" on the host.
    packages: Debian packages with compiler and C library.
    instruction_set: what the compiler translates to, as its -march has it; what C costs is fitted by it.
    """

    name: str
    compiler: str
    flags: tuple[str, ...]
    features: tuple[str, ...] = ()
    boards: tuple[Board, ...] = ()
    startup: str = "startup_arm.c"
    packages: str = "gcc-arm-none-eabi libnewlib-arm-none-eabi"
    instruction_set: str = ""


def _mps2(number: int, core: str) -> Board:
    return Board(
        name=f"mps2-an{number} ({core}, emulated)",
        emulator="qemu-system-arm",
        machine=("-machine", f"mps2-an{number}"),
        vectors=None,
        flash=Region(0x0000_0000, 4 * MIB),
        sram=Region(0x2000_0000, 4 * MIB),
        clock="clock_cmsdk.h",
    )


_MICROBIT = Board(
    name="microbit (Cortex-M0, 16 KB SRAM, 256 KB flash, emulated)",
    emulator="qemu-system-arm",
    machine=("-machine", "microbit"),
    vectors=None,
    flash=Region(0x0000_0000, 256 * KIB),
    sram=Region(0x2000_0000, 16 * KIB),
    clock="clock_nrf51.h",
)

_AN505 = Board(
    name="mps2-an505 (Cortex-M33, emulated)",
    emulator="qemu-system-arm",
    machine=("-machine", "mps2-an505"),
    vectors=None,
    flash=Region(0x1000_0000, 4 * MIB),
    sram=Region(0x3800_0000, 4 * MIB),
    clock="clock_an505.h",
)


# The tightly coupled memories hold 512 KB each; code and constants go to DDR so that larger models run.
def _an547(core: str) -> Board:
    return Board(
        name=f"mps3-an547 ({core}, emulated)",
        emulator="qemu-system-arm",
        machine=("-machine", "mps3-an547"),
        vectors=Region(0x0000_0000, 512 * KIB),
        flash=Region(0x6000_0000, 4 * MIB),
        sram=Region(0x2100_0000, 4 * MIB),
        clock="clock_sse300.h",
    )


_VIRT = Board(
    name="virt (RV32IMC, emulated)",
    emulator="qemu-system-riscv32",
    machine=("-machine", "virt", "-cpu", "rv32,a=false,f=false,d=false", "-bios", "none"),
    vectors=None,
    flash=Region(0x8000_0000, 4 * MIB),
    sram=Region(0x8040_0000, 4 * MIB),
    clock="clock_riscv.h",
)


def _arm(
    name: str, instruction_set: str, flags: tuple[str, ...], features: tuple[str, ...], *boards: Board
) -> Target:
    chosen = (f"-mcpu={name}", "-mthumb", *flags)
    return Target(name, "arm-none-eabi-", chosen, features, boards, instruction_set=instruction_set)


_HELIUM = ("dsp", "fpu", "helium")
_HARD = ("-mfloat-abi=hard",)
_HARD_SINGLE = ("-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
_HARD_M33 = ("-mfloat-abi=hard", "-mfpu=fpv5-sp-d16")
_HARD_M7 = ("-mfloat-abi=hard", "-mfpu=fpv5-d16")

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target("host", "", (), ("fpu",), packages="gcc libc6-dev", startup=""),
        _arm(
            "cortex-m0",
            "armv6-m",
            ("-mfloat-abi=soft",),
            (),
            _MICROBIT,
            _mps2(385, "Armv6-M code on a Cortex-M3, 4 MB SRAM"),
        ),
        _arm("cortex-m3", "armv7-m", ("-mfloat-abi=soft",), (), _mps2(385, "Cortex-M3")),
        _arm("cortex-m4", "armv7e-m", _HARD_SINGLE, ("dsp", "fpu"), _mps2(386, "Cortex-M4")),
        _arm("cortex-m7", "armv7e-m", _HARD_M7, ("dsp", "fpu"), _mps2(500, "Cortex-M7")),
        _arm("cortex-m33", "armv8-m.main", _HARD_M33, ("dsp", "fpu"), _AN505),
        _arm("cortex-m55", "armv8.1-m.main", _HARD, _HELIUM, _an547("Cortex-M55")),
        # By its instructions, as compilers before GCC 13 do not know the name.
        Target(
            "cortex-m85",
            "arm-none-eabi-",
            ("-march=armv8.1-m.main+dsp+mve.fp+fp.dp", "-mthumb", *_HARD),
            _HELIUM,
            (_an547("Cortex-M85 code on a Cortex-M55"),),
            instruction_set="armv8.1-m.main",
        ),
        Target(
            "rv32imc",
            "riscv64-unknown-elf-",
            ("-march=rv32imc", "-mabi=ilp32", "-mcmodel=medany", "--specs=picolibc.specs"),
            boards=(_VIRT,),
            startup="startup_riscv.c",
            packages="gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf",
            instruction_set="rv32imc",
        ),
    )
}


def target_named(name: str) -> Target:
    """The target called `name`. Raises UnsupportedError, with the names there are, for any other."""
    if name not in TARGETS:
        raise UnsupportedError(f"unknown target '{name}': choose one of {', '.join(TARGETS)}")
    return TARGETS[name]


def parse_size(text: str) -> int:
    """Bytes from "65536", "320K" or "1M" (K = 1024, M = 1024 x 1024; a trailing B is allowed).

    Raises UnsupportedError for anything else and for zero.
    """
    match = re.fullmatch(r"(\d+)\s*([KMkm]?)(?:i?[Bb])?", text.strip())
    size = int(match[1]) * {"": 1, "K": KIB, "M": MIB}[match[2].upper()] if match else 0
    if size == 0:
        raise UnsupportedError(
            f"'{text}' is not a size: give bytes, or a number with K or M, such as 320K or 1M"
        )
    return size
