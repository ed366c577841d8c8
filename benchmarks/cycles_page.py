"""docs/cycles.md, from benchmarks/results/cycles.json."""

import json
from typing import Any

from benchmarks.records import RESULTS
from benchmarks.tables import number, ratio, table

INTRODUCTION = """# Cycles, estimated

Instructions are exact, cycles are not known without the hardware. What can be estimated is whether fewer
instructions become more cycles: the time is in the inner loops, and LLVM has scheduling models of the
Cortex-M7 and the Cortex-M55. `python -m benchmarks.cycles` runs a model on the emulated core with a plugin
that counts how often each instruction is executed (`benchmarks/count_instructions.c`), finds the innermost
loops in the disassembly, takes for each what most iterations execute, and asks `llvm-mca` of LLVM 19 for the
cycles of an iteration among many. This page is made from `benchmarks/results/cycles.json`.

What the estimate leaves out:

- memory: every access hits tightly coupled memory or the first-level cache; flash without a cache, and data
  larger than it, cost more;
- branches: they are predicted, and a low-overhead loop of the Cortex-M55 takes the time of its LE;
- what lies outside innermost loops (the share is in the table), and the start of each loop;
- IT, which the models lack, takes no time; beats of consecutive vector instructions overlap as far as the
  units differ, as LLVM has it.

The models are LLVM's, not Arm's: the numbers compare kernels with each other, they are not data-sheet times.
"""

TOTALS = """## Models

`portable` is plain C (`--kernels portable`). "In loops" is the share of all instructions that is executed in
the loops estimated here, "cycles" what all instructions take if the others take as long as those. The last
two columns are how many times fewer instructions, and cycles, the core's own kernels take than plain C.
"""

LOOPS = """## The loops that execute most

Of one iteration; multiply-accumulates are those of its instructions.
"""


def cycles_page() -> str:
    """The page; "" where nothing was estimated."""
    path = RESULTS / "cycles.json"
    if not path.exists():
        return ""
    found: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    parts = [INTRODUCTION, TOTALS, _totals(found), LOOPS]
    for model, settings in found.items():
        for setting, told in settings.items():
            parts += [f"### {model}, {setting}\n", _loops(told["loops"])]
    return "\n".join(parts)


def _totals(found: dict[str, dict[str, Any]]) -> str:
    rows = []
    for model, settings in found.items():
        for setting, told in settings.items():
            portable = settings.get(f"{setting}-portable")
            cycles = _cycles(told)
            rows.append(
                [
                    model, setting, number(told["instructions"]),
                    f"{told['loop_instructions'] / told['instructions']:.0%}",
                    number(round(cycles)), ratio(cycles, told["instructions"]),
                    ratio(portable["instructions"], told["instructions"]) if portable else "",
                    ratio(_cycles(portable), cycles) if portable else "",
                ]
            )  # fmt: skip
    headings = [
        "model", "core", "instructions", "in loops", "cycles", "per instruction", "instructions", "cycles",
    ]  # fmt: skip
    return table(headings, rows)


def _cycles(told: dict[str, Any]) -> float:
    return float(told["loop_cycles"] / told["loop_instructions"] * told["instructions"])


def _loops(loops: list[dict[str, Any]]) -> str:
    rows = [
        [
            loop["function"].split(".")[0], number(loop["iterations"]), number(loop["instructions"]),
            f"{loop['cycles']:.1f}", number(loop["macs"]), ratio(loop["cycles"], loop["macs"] or None),
        ]
        for loop in loops
    ]  # fmt: skip
    headings = ["function", "iterations", "instructions", "cycles", "MACs", "cycles per MAC"]
    return table(headings, rows)
