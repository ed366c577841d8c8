"""A network for a BBC micro:bit is searched for, and reads digits on the emulated board.

    python examples/search_for_a_board/search_for_a_board.py

It needs tinycc-mcu[search] and scikit-learn. README.md says why the limits are what they are.
"""

import argparse
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from pictures import write_pictures
from rich.console import Console

from tinycc.errors import ToolError
from tinycc.run import RunResult, run_board, run_host
from tinycc.run.folder import read_folder
from tinycc.search.data import Dataset
from tinycc.search.normalization import Normalization

HERE = Path(__file__).resolve().parent
OUTPUT = HERE.parents[1] / "build" / "search_for_a_board"
TARGET, SRAM_BYTES = "cortex-m0", 16 * 1024
LIMITS = "--sram 4K --flash 64K --instructions 4M"
EFFORT = "--supernet-epochs 3 14 --population 16 --generations 5 --finalists 1 --epochs 50 --batch 64"
# Only to see that it runs, and with how many pictures.
LITTLE_EFFORT = "--supernet-epochs 0 1 --population 3 --generations 1 --finalists 1 --epochs 8 --batch 32"
LITTLE_LEARNED = 300
# Pictures that the board reads.
READ = 48


def search(data: Path, found: Path, effort: str) -> None:
    """Run `tinycc search`, and say with which options."""
    files = ["--data", str(data), "--space", str(HERE / "space.yaml"), "-o", str(found)]
    arguments = ["search", *files, "--target", TARGET, *LIMITS.split(), *effort.split()]
    print("tinycc", shlex.join(arguments), flush=True)
    done = subprocess.run([sys.executable, "-m", "tinycc.cli", *arguments], check=False)
    if done.returncode:
        sys.exit(done.returncode)  # the command has said why


def pictures_to_read(data: Path, told: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Pictures as the network reads them, int8 [cases, 1, height, width], and what stands in them."""
    with np.load(data) as arrays:
        images, labels = arrays["x_test"][:READ, ..., np.newaxis], arrays["y_test"][:READ]
    height, width, _ = told["input_shape"]
    pictures = Dataset(images, labels, tuple(told["classes"])).resized((height, width))
    return Normalization(**told["normalization"]).integers(pictures.images).transpose(0, 3, 1, 2), labels


def run_on_board_or_host(folder: Path, inputs: np.ndarray, console: Console) -> RunResult:
    """The emulated micro:bit where its tools are installed, the host otherwise."""
    try:
        return run_board(read_folder(folder), [inputs], TARGET)
    except ToolError as error:
        console.print(f"No emulated board ({error}); running on the host instead.")
        return run_host(folder, [inputs])


def main() -> None:
    """Make pictures, search, run, report."""
    parser = argparse.ArgumentParser(description="Search a network for a micro:bit.")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="folder for all that is made")
    parser.add_argument("--quick", action="store_true", help="only to see that it runs: less is trained")
    arguments = parser.parse_args()
    console = Console()
    folder = arguments.output / ("quick" if arguments.quick else "whole")
    data, found = folder / "pictures.npz", folder / "found"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(found, ignore_errors=True)
    write_pictures(data, learned=LITTLE_LEARNED if arguments.quick else None)
    search(data, found, LITTLE_EFFORT if arguments.quick else EFFORT)

    told = json.loads((found / "hand_off.json").read_text(encoding="utf-8"))
    inputs, labels = pictures_to_read(data, told)
    result = run_on_board_or_host(found, inputs, console)
    accuracy = float((result.outputs[0].reshape(len(labels), -1).argmax(axis=1) == labels).mean())

    predicted = told["costs"]["predicted"]["instructions"]
    console.print(f"Read {len(labels)} of the pictures to test with on: {result.board}", soft_wrap=True)
    console.print(f"  accuracy      {accuracy:.1%}")
    console.print(
        f"  flash         {result.flash_bytes:,} bytes of 262,144: code {result.code_bytes:,}, "
        f"constants {result.const_bytes:,}"
    )
    if result.stack_bytes is not None:
        console.print(
            f"  SRAM          {result.ram_bytes + result.stack_bytes:,} bytes of {SRAM_BYTES:,}: arena and "
            f"variables {result.ram_bytes:,}, stack {result.stack_bytes:,}"
        )
        console.print(f"  instructions  {result.instructions:,} a picture, {predicted:,} predicted")
    console.print(f"The C is in {found}; open {found / 'search.html'}", soft_wrap=True)


if __name__ == "__main__":
    main()
