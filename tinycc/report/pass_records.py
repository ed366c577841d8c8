"""Which passes ran, for the report: seen by an instrument beside those of the caller's PassContext."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import tvm
from tvm.ir.instrument import pass_instrument

from tinycc import tvm_adapter


@dataclass(frozen=True)
class PassRecord:
    """One pass that ran."""

    name: str
    changed: bool
    seconds: float


@contextmanager
def recorded_passes() -> Iterator[list[PassRecord]]:
    """The passes of the Sequential that runs meanwhile, in the order in which they end."""
    records: list[PassRecord] = []
    with tvm_adapter.observed_by(_Recorder(records)):
        yield records


@pass_instrument
class _Recorder:
    """Keeps what is one level below the Sequential: not that itself, nor what passes run themselves."""

    def __init__(self, records: list[PassRecord]) -> None:
        self.records = records
        self.running: list[tuple[tvm.IRModule, float]] = []

    def run_before_pass(self, module: tvm.IRModule, _info: tvm.transform.PassInfo) -> None:
        self.running.append((module, time.perf_counter()))

    def run_after_pass(self, module: tvm.IRModule, info: tvm.transform.PassInfo) -> None:
        end = time.perf_counter()
        before, start = self.running.pop()
        if len(self.running) == 1:
            changed = not tvm_adapter.structural_equal(before, module)
            self.records.append(PassRecord(str(info.name), changed, end - start))
