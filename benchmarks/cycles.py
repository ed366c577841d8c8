"""Estimate the cycles of the inner loops of generated code on a Cortex-M7 and a Cortex-M55.

    python -m benchmarks.cycles [--model NAME]...

Runs each model on the emulated core with a plugin that counts how often every instruction is executed, takes
the innermost loops from the disassembly and asks llvm-mca for the cycles of an iteration. Writes
benchmarks/results/cycles.json. Needs gcc, the cross compiler, QEMU and llvm-mca of LLVM 19
(`apt install llvm-19`).
"""

import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import click
import numpy as np

import tinycc
from benchmarks.loops import TRIPLES, Instruction, Loop, inner_loops, read_functions
from benchmarks.measuring import Model
from benchmarks.peer_figures import PEERS
from benchmarks.records import RESULTS, ROOT, Setting
from tests.tools.corpus import corpus_folder, golden_inputs
from tinycc.run import run
from tinycc.run.toolchain import EMULATOR_PACKAGES, find_tool

MODELS = tuple(peer.model for peer in PEERS)
SETTINGS = tuple(
    setting for core in TRIPLES for setting in (Setting(core, kernels="portable"), Setting(core))
)
# Functions of the model, whatever the compiler split off: not those of the harness.
OF_MODEL = re.compile(r"^model|^tinycc_|_instance\d")
# Loops that are told one by one.
MOST_LOOPS = 8


def counted_run(model: Model, setting: Setting, work: Path) -> dict[str, list[Instruction]]:
    """The functions of the firmware with what one inference executed.

    `tinycc run` finds in PATH a script that starts the emulator with the plugin and keeps the firmware.
    """
    plugin, counts = work / "libcount.so", work / "counts.bin"
    source = ROOT / "benchmarks" / "count_instructions.c"
    subprocess.run(["gcc", "-O2", "-shared", "-fPIC", str(source), "-o", str(plugin)], check=True)
    name = setting.target.boards[0].emulator
    emulator = find_tool(name, EMULATOR_PACKAGES[name])
    script = work / "bin" / name
    script.parent.mkdir()
    script.write_text(
        f'#!/bin/sh\ncp firmware.elf {work}\nexec {emulator} "$@" -plugin {plugin},output={counts}\n'
    )
    script.chmod(0o755)
    compiled = tinycc.compile(model.path, target=setting.core, kernels=setting.kernels)
    compiled.export(work / "model")
    path = os.environ["PATH"]
    try:
        os.environ["PATH"] = f"{script.parent}{os.pathsep}{path}"
        run(work / "model", setting.core, golden_inputs(model.arrays, compiled.report, [0]))
    finally:
        os.environ["PATH"] = path
    return read_functions(work / "firmware.elf", setting.core, np.fromfile(counts, "<u8"))


def estimate(model: Model, setting: Setting) -> dict[str, Any]:
    """Instructions of the model, those in inner loops, and the loops' cycles."""
    with tempfile.TemporaryDirectory() as work:
        functions = counted_run(model, setting, Path(work))
    own = {name: code for name, code in functions.items() if OF_MODEL.search(name)}
    loops = [loop for name, code in own.items() for loop in inner_loops(name, code)]
    loops.sort(key=lambda loop: -loop.instructions)
    cycles = [loop.cycles(setting.core) for loop in loops]
    turns = [loop.instructions / len(loop.body) for loop in loops]
    return {
        "instructions": sum(item.executed for code in own.values() for item in code),
        "loop_instructions": sum(loop.instructions for loop in loops),
        "loop_cycles": round(sum(times * each for times, each in zip(turns, cycles, strict=True))),
        "loops": [_told(loop, each) for loop, each in list(zip(loops, cycles, strict=True))[:MOST_LOOPS]],
    }


def _told(loop: Loop, cycles: float) -> dict[str, Any]:
    return {
        "function": loop.function,
        "iterations": loop.iterations,
        "instructions": len(loop.body),
        "cycles": round(cycles, 2),
        "macs": loop.macs,
    }


@click.command()
@click.option("--model", "models", multiple=True, default=MODELS, help="A model of the corpus.")
def main(models: tuple[str, ...]) -> None:
    """Estimate all and write cycles.json."""
    found: dict[str, dict[str, Any]] = {}
    for name in models:
        model = Model.of_corpus(corpus_folder(), name)
        found[name] = {setting.name: estimate(model, setting) for setting in SETTINGS}
        for setting, told in found[name].items():
            click.echo(
                f"{name:28} {setting:24} {told['instructions']:12,} {told['loop_instructions']:12,} "
                f"{told['loop_cycles']:12,}"
            )
    (RESULTS / "cycles.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
