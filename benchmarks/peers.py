"""Arena and instructions of the corpus models, beside those of TFLite Micro and TinyEngine.

    python benchmarks/peers.py [--corpus PATH] [--markdown docs/benchmarks.md]

Counts are executed instructions of one inference on an emulated core (`qemu-system-arm -icount shift=0`),
exact and repeatable. The peers' figures were measured the same way, on the same boards: TFLite Micro of
August 2026 with CMSIS-NN and with its reference kernels at -O2, TinyEngine of November 2024 at -Ofast.
"""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

import tinycc
from tinycc.run import run

ROOT = Path(__file__).resolve().parents[1]
CORPUS = Path(os.environ.get("TINYCC_CORPUS", ROOT / "../shared/corpus"))
CORES = ("cortex-m4", "cortex-m7", "cortex-m55")


@dataclass(frozen=True)
class Peer:
    """What the others need: bytes of SRAM and instructions of one inference on a Cortex-M4.

    tinyengine_bytes: None where it refuses the model, gives wrong output or was not tried.
    """

    model: str
    tflm_bytes: int
    tinyengine_bytes: int | None
    cmsis_nn: int
    reference_kernels: int


PEERS = (
    Peer("mlperf_ad_ae_int8", 2_580, 3_328, 582_892, 1_952_483),
    Peer("mlperf_kws_dscnn_int8", 22_820, None, 7_697_711, 43_040_118),
    Peer("mlperf_ic_resnet8_int8", 54_996, None, 29_863_915, 107_401_505),
    Peer("mlperf_vww_mbv1_int8", 100_708, None, 24_101_518, 100_249_506),
    Peer("tflm_person_detect", 82_308, None, 22_928_051, 95_657_874),
    Peer("tflm_micro_speech_int8", 6_836, None, 1_495_353, 9_310_783),
    Peer("te_vww", 219_684, 93_992, 47_934_515, 188_519_693),
    Peer("te_detection", 379_740, None, 73_063_513, 320_766_701),
)

HEADINGS = (
    "model", "arena B", "lower bound B", "stack B", "TFLM arena B", "TinyEngine B", "M4", "M7", "M55",
    "TFLM reference M4", "ratio", "TFLM CMSIS-NN M4", "ratio",
)  # fmt: skip


def measure(corpus: Path, peer: Peer) -> list[str]:
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
    tinyengine = "" if peer.tinyengine_bytes is None else f"{peer.tinyengine_bytes:,}"
    return [
        peer.model,
        f"{report['arena_bytes']:,}",
        f"{report['lower_bound_bytes']:,}",
        f"{max(stacks):,}",
        f"{peer.tflm_bytes:,}",
        tinyengine,
        *(f"{count:,}" for count in counts),
        f"{peer.reference_kernels:,}",
        f"{counts[0] / peer.reference_kernels:.2f}",
        f"{peer.cmsis_nn:,}",
        f"{counts[0] / peer.cmsis_nn:.2f}",
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
