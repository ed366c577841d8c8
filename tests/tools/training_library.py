"""A generated folder with a training step as a shared library of the host, and flash that is simulated."""

import ctypes
import json
import random
import re
import subprocess
from pathlib import Path

import numpy as np

_CHECKED = ("-Og", "-g1", "-fsanitize=undefined", "-fno-sanitize-recover=all", "-ffp-contract=off")
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)


class _FlashStruct(ctypes.Structure):
    """`tinycc_flash`."""

    _fields_ = (
        ("context", ctypes.c_void_p),
        ("read", _CALLBACK),
        ("write", _CALLBACK),
        ("page_bytes", ctypes.c_uint32),
        ("write_bytes", ctypes.c_uint32),
    )


class Flash:
    """Flash whose power can be cut, and what was done to it that real flash does not bear.

    writes_left: units that are still written before the power is cut, None for no cut; the one that it is cut
        in is half written, and a page that is about to be erased is half erased.
    unreadable: offsets whose reading fails. reads_left: how often reading succeeds, None for always.
    writes, reads: units written and blocks read so far.
    """

    def __init__(self, page_bytes: int = 64, write_bytes: int = 8, size: int = 1 << 15) -> None:
        self.memory = bytearray(b"\xff" * size)
        self.page_bytes, self.write_bytes = page_bytes, write_bytes
        self.writes_left: int | None = None
        self.unreadable: range = range(0)
        self.reads_left: int | None = None
        self.writes = self.reads = 0
        self.violations: list[str] = []
        self._random = random.Random(0)
        self.struct = _FlashStruct(
            None, _CALLBACK(self._read), _CALLBACK(self._write), page_bytes, write_bytes
        )

    def _read(self, _context: int, offset: int, to: int, count: int) -> int:
        if offset < self.unreadable.stop and self.unreadable.start < offset + count:
            return 1
        if self.reads_left is not None:
            self.reads_left -= 1
            if self.reads_left < 0:
                return 1
        self.reads += 1
        ctypes.memmove(to, bytes(self.memory[offset : offset + count]), count)
        return 0

    def _write(self, _context: int, offset: int, source: int, count: int) -> int:
        data = ctypes.string_at(source, count)
        page, unit = self.page_bytes, self.write_bytes
        if offset % unit or count % unit or offset // page != (offset + count - 1) // page:
            self.violations.append(f"{count} bytes at {offset}")
        for first in range(0, count, unit):
            place = offset + first
            if self.writes_left == 0:
                if place % page == 0:
                    self.memory[place : place + page // 2] = self._random.randbytes(page // 2)
                self.memory[place : place + unit // 2] = data[first : first + unit // 2]
                return 1
            if place % page == 0:
                self.memory[place : place + page] = b"\xff" * page
            if any(byte != 0xFF for byte in self.memory[place : place + unit]):
                self.violations.append(f"{place} is written twice")
            self.memory[place : place + unit] = data[first : first + unit]
            self.writes += 1
            if self.writes_left is not None:
                self.writes_left -= 1
        return 0


class Device:
    """The model after a reset, in an arena of its own; the undefined-behaviour sanitizer watches it."""

    def __init__(self, folder: Path) -> None:
        library = folder / "model.so"
        if not library.exists():
            command = ["cc", "-std=c99", *_CHECKED, "-shared", "-fPIC", "model.c", "-o", library.name, "-lm"]
            subprocess.run(command, cwd=folder, check=True)
        self.library = ctypes.CDLL(str(library))
        self.library.model_train_step_in.restype = ctypes.c_float
        report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        self._states = report["training"]["states"]
        header = (folder / "model.h").read_text(encoding="utf-8")
        sizes = dict(re.findall(r"#define MODEL_(STATES|STATE_BYTES|ARENA_BYTES) (\d+)", header))
        self.first, self.bytes = int(sizes["STATES"]), int(sizes["STATE_BYTES"])
        words = -(-int(sizes["ARENA_BYTES"]) // 8)
        self.arena = (ctypes.c_int64 * words)()
        self.reset()

    @property
    def states(self) -> bytes:
        """All that was trained, the learning rate and the number of the step."""
        return bytes(memoryview(self.arena).cast("B")[self.first : self.first + self.bytes])

    @property
    def trained(self) -> bytes:
        """Weights and biases alone: without the words that the rate and the counts of steps are in."""
        last = {state["name"]: state["offset"] for state in self._states}
        data = bytearray(self.states)
        for name in ("learning_rate", "training_step", "skipped_updates"):
            data[last[name] : last[name] + 4] = bytes(4)
        return bytes(data)

    @property
    def skipped(self) -> int:
        """What model_skipped_updates_in returns."""
        return int(self.library.model_skipped_updates_in(self.arena))

    def state(self, name: str) -> bytes:
        """One of those that the report tells of."""
        [found] = [state for state in self._states if state["name"] == name]
        return self.states[found["offset"] : found["offset"] + found["bytes"]]

    def train(self, example: np.ndarray, target: int | np.ndarray) -> float:
        """A step; the loss before it. target: the label, or float32."""
        right = target if isinstance(target, int) else target.ctypes.data_as(ctypes.c_void_p)
        return float(
            self.library.model_train_step_in(self.arena, example.ctypes.data_as(ctypes.c_void_p), right)
        )

    def reset(self) -> None:
        """As it was compiled."""
        self.library.model_reset_in(self.arena)

    def set_learning_rate(self, rate: float) -> None:
        """Of the steps that follow."""
        self.library.model_set_learning_rate_in(self.arena, ctypes.c_float(rate))

    def save(self, flash: Flash) -> int:
        """What model_save_in returns."""
        return int(self.library.model_save_in(self.arena, ctypes.byref(flash.struct)))

    def restore(self, flash: Flash) -> int:
        """What model_restore_in returns."""
        return int(self.library.model_restore_in(self.arena, ctypes.byref(flash.struct)))
