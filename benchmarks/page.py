"""Make docs/benchmarks.md with its pictures, and docs/cycles.md, from the results.

    python -m benchmarks.page

Reads benchmarks/results/*.json only: it needs neither the corpus nor an emulator.
"""

from collections.abc import Sequence

from benchmarks import tables
from benchmarks.bars import Series, draw_bars
from benchmarks.cycles_page import cycles_page
from benchmarks.records import ROOT, SETTINGS, Setting, compiler_of, read_file_sizes, read_results
from benchmarks.tables import Results

DOCS = ROOT / "docs"
INTRODUCTION = """# Benchmarks

Measured by `python -m benchmarks.instructions`; this page is made from `benchmarks/results/` by
`python -m benchmarks.page`.

Instructions are those that one inference executes on an emulated core (`qemu-system-arm` or
`qemu-system-riscv32` with `-icount shift=0`): exact and repeatable, but not cycles
([cycles.md](cycles.md) estimates these). Every output was compared with that of TFLite Micro's reference
kernels and is the same to the bit. Code, constants and stack are those of the model with the library
functions it needs, compiled with -O2 by
{compiler}.
The peers were measured the same way on the same boards: TFLite Micro of August 2026 with CMSIS-NN at -O2,
TinyEngine of November 2024 at -Ofast (`benchmarks/peer_figures.py`). Models with float edges have int8
edges here, for the peers as for tinycc.
"""


def pictures(results: Results) -> dict[str, str]:
    """The plots by file name."""
    peers = results.peers
    titles = [peer.title for peer in peers]
    tflm = Series("TFLite Micro", [1.0] * len(peers))

    def bars(name: str, values: Sequence[int | None], whole: Sequence[int]) -> Series:
        return Series(
            name, [value / one if value else None for value, one in zip(values, whole, strict=True)]
        )

    def counts(core: str) -> list[int]:
        return [results.instructions(Setting(core), peer.model) for peer in peers]

    m4, m55 = [peer.tflm.m4 for peer in peers], [peer.tflm.m55 for peer in peers]
    return {
        "instructions-m4.svg": draw_bars(
            "Instructions of one inference on a Cortex-M4, TFLite Micro with CMSIS-NN = 1",
            titles,
            [
                bars("tinycc", counts("cortex-m4"), m4),
                bars("TinyEngine", [peer.tinyengine.m4 for peer in peers], m4),
                tflm,
            ],
        ),
        "instructions-m55.svg": draw_bars(
            "Instructions of one inference on a Cortex-M55, TFLite Micro with CMSIS-NN = 1",
            titles,
            [bars("tinycc", counts("cortex-m55"), m55), tflm],
        ),
    }


def host_speed() -> list[str]:
    """The section on the host, if that was measured."""
    text = tables.host_speed()
    if not text:
        return []
    return [
        "## On the host\n",
        "For those who simulate: how many times as long LiteRT (XNNPACK) and onnxruntime take for an\n"
        "inference on one thread, as ratios to tinycc's generated C built by gcc with -O2, as `tinycc run`\n"
        "does, and with -O3 -march=native. The median of interleaved rounds\n"
        "(`python -m benchmarks.host_speed`); above 1 tinycc is faster. The C is written for cores with one\n"
        "or two multipliers, not for wide vectors.\n",
        text,
    ]


def page(results: Results) -> str:
    """The whole page."""
    parts = [
        INTRODUCTION.format(compiler=compiler_of(Setting("cortex-m4"))),
        "## Instructions, beside the peers\n",
        "![Instructions on a Cortex-M4](images/instructions-m4.svg)\n",
        "![Instructions on a Cortex-M55](images/instructions-m55.svg)\n",
        tables.peer_instructions(results),
        "Plain C alone (`--kernels portable`), on a Cortex-M4 and on cores without the DSP extension:\n",
        tables.peer_portable(results),
        "## Arena, and what less of it costs\n",
        "Bytes, and the instructions of `--optimize-for memory` as a share of the default's; "
        "[memory.md](memory.md) has the peers'.\n",
        tables.low_memory(results),
        "## Flash, beside the peers\n",
        'Bytes. TFLite Micro needs 28 to 57 KB of code and the whole model file: "at least" is 28 KB and '
        "the file.\n",
        tables.peer_flash(results),
        "## All models on all cores\n",
        "Instructions of one inference:\n",
        tables.all_models(results, per_mac=False),
        "Instructions per multiply-accumulate, all operators included:\n",
        tables.all_models(results, per_mac=True),
        "Bytes on a Cortex-M4:\n",
        tables.all_sizes(results, "cortex-m4"),
        "## By kind of operator\n",
        "All models together, on a Cortex-M4:\n",
        tables.kinds(results, "cortex-m4"),
        "and on a Cortex-M55:\n",
        tables.kinds(results, "cortex-m55"),
        "## By operator\n",
        *(tables.operators(results, peer.model) for peer in results.peers),
        "## Predicted instructions\n",
        "What `python -m benchmarks.fit_costs` left of the differences between predicted and counted\n"
        "instructions, on whole tensors and row by row:\n",
        tables.predictions(),
        *host_speed(),
    ]
    return "\n".join(part for part in parts if part)


def main() -> None:
    """Write the page and its pictures."""
    results = Results({setting: read_results(setting) for setting in SETTINGS}, read_file_sizes())
    for name, text in pictures(results).items():
        (DOCS / "images" / name).write_text(text, encoding="utf-8")
    (DOCS / "benchmarks.md").write_text(page(results), encoding="utf-8")
    cycles = cycles_page()
    if cycles:
        (DOCS / "cycles.md").write_text(cycles, encoding="utf-8")
    print(f"wrote {DOCS / 'benchmarks.md'}")


if __name__ == "__main__":
    main()
