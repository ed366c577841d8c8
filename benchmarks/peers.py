"""Arena and instructions of the corpus models, beside those of TFLite Micro and TinyEngine.

    python benchmarks/peers.py [--corpus PATH] [--markdown docs/benchmarks.md]

Counts are executed instructions of one inference on an emulated core (`qemu-system-arm -icount shift=0`),
exact and repeatable. The peers' figures, in peer_figures.py, were measured the same way, on the same boards.
"""

import os
import tempfile
from pathlib import Path

import click
import numpy as np
from peer_figures import PEERS, PeerFigures

import tinycc
from tinycc.run import run

ROOT = Path(__file__).resolve().parents[1]
CORPUS = Path(os.environ.get("TINYCC_CORPUS", ROOT / "../shared/corpus"))
CORES = ("cortex-m4", "cortex-m7", "cortex-m55")


HEADINGS = (
    "model", "arena B", "lower bound B", "stack B", "TFLM arena B", "TinyEngine B", "M4", "M7", "M55",
    "TFLM reference M4", "ratio", "TFLM CMSIS-NN M4", "ratio",
)  # fmt: skip


def measure(corpus: Path, peer: PeerFigures) -> list[str]:
    """One row: compile, count on each core, and make sure that every core gives the host's bytes."""
    golden = np.load(corpus / "golden" / f"{peer.model}.npz")
    compiled = tinycc.compile(corpus / "tflite" / "int8" / f"{peer.model}.tflite")
    report = compiled.report
    inputs = [golden[f"in{index}"][:1] for index in range(len(report["inputs"]))]
    counts, stacks = [], []
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "model"
        compiled.export(folder)
        expected = run(folder, "host", inputs).outputs
        for core in CORES:
            result = run(folder, core, inputs)
            if not all(map(np.array_equal, result.outputs, expected)):
                raise SystemExit(f"{peer.model}: {core} and the host differ")
            counts.append(result.instructions or 0)
            stacks.append(result.stack_bytes or 0)
    tinyengine_bytes = peer.tinyengine.sram_bytes
    return [
        peer.model,
        f"{report['arena_bytes']:,}",
        f"{report['lower_bound_bytes']:,}",
        f"{max(stacks):,}",
        f"{peer.tflm.arena_bytes:,}",
        "" if tinyengine_bytes is None else f"{tinyengine_bytes:,}",
        *(f"{count:,}" for count in counts),
        f"{peer.tflm.m4_reference:,}",
        f"{counts[0] / peer.tflm.m4_reference:.2f}",
        f"{peer.tflm.m4:,}",
        f"{counts[0] / peer.tflm.m4:.2f}",
    ]


def as_markdown(rows: list[list[str]]) -> str:
    """The table, with what it shows and how it was made."""
    lines = ["| " + " | ".join(HEADINGS) + " |", "|---" + "|--:" * (len(HEADINGS) - 1) + "|"]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    head = (
        "# Against TFLite Micro and TinyEngine\n\n"
        "Made by `python benchmarks/peers.py --markdown docs/benchmarks.md`. Instructions of one inference "
        "on emulated cores; ratios are tinycc's Cortex-M4 count to the peer's. tinycc's kernels are portable "
        "C, without the DSP or Helium extensions. The peers' arenas include all that their engines keep in "
        "SRAM; TinyEngine's is empty where it refuses the model, gives wrong output or was not tried.\n\n"
    )
    return head + "\n".join(lines) + "\n"


@click.command()
@click.option(
    "--corpus",
    type=click.Path(path_type=Path),
    default=os.environ.get("TINYCC_CORPUS", ROOT / "../shared/corpus"),
)
@click.option("--markdown", type=click.Path(path_type=Path), help="File to write the table to.")
def main(corpus: Path, markdown: Path | None) -> None:
    """Measure all models and print the table."""
    table = as_markdown([measure(corpus, peer) for peer in PEERS])
    click.echo(table)
    if markdown:
        markdown.write_text(table, encoding="utf-8")


if __name__ == "__main__":
    main()
