"""Compile the project's own spoken-digit network, run it on an emulated Cortex-M4 and say what it costs.

Run by `make demo`. Without the cross compiler or the emulator it runs on the host.
"""

import shutil
from pathlib import Path

import numpy as np
from rich.console import Console

import tinycc
from tinycc.errors import ToolError
from tinycc.run import RunResult, run

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "models" / "spoken_digits"
OUTPUT = ROOT / "build" / "spoken_digits"
CLIPS = 300


def run_on_board_or_host(folder: Path, inputs: np.ndarray, console: Console) -> RunResult:
    """The emulated board where its tools are installed, the host otherwise."""
    try:
        return run(folder, "cortex-m4", [inputs])
    except ToolError as error:
        console.print(f"No emulated board ({error}); running on the host instead.")
        return run(folder, "host", [inputs])


def main() -> None:
    """Compile, export, run on held-out clips, report."""
    console = Console()
    console.print("Compiling models/spoken_digits/spoken_digits.onnx for a Cortex-M4 ...")
    compiled = tinycc.compile(MODEL / "spoken_digits.onnx", target="cortex-m4", sram="64K", flash="256K")
    shutil.rmtree(OUTPUT, ignore_errors=True)
    compiled.export(OUTPUT)

    clips = np.load(MODEL / "held_out.npz")
    inputs, labels = clips["in0"][:CLIPS], clips["label"][:CLIPS]
    result = run_on_board_or_host(OUTPUT, inputs, console)
    accuracy = float((result.outputs[0].reshape(len(labels), -1).argmax(axis=1) == labels).mean())

    report = compiled.report
    console.print(f"Ran {len(labels)} held-out clips of spoken digits on: {result.board}")
    console.print(f"  accuracy      {accuracy:.1%} (voices that the training heard saying other takes)")
    bound = report["lower_bound_bytes"]
    console.print(f"  arena         {report['arena_bytes']:,} bytes, lower bound {bound:,}")
    console.print(f"  flash         {result.flash_bytes:,} bytes: code {result.code_bytes:,}, "
                  f"constants {result.const_bytes:,}")  # fmt: skip
    if result.instructions is not None:
        console.print(f"  instructions  {result.instructions:,} per clip, {report['macs']:,} MACs")
        console.print(f"  stack         {result.stack_bytes:,} bytes")
    console.print(f"The code is in {OUTPUT}; open {OUTPUT / 'report.html'}", soft_wrap=True)


if __name__ == "__main__":
    main()
