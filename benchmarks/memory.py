"""Bytes of SRAM for one inference: tinycc's arenas beside TFLite Micro and TinyEngine.

    python -m benchmarks.memory [--corpus PATH] [--on cortex-m4] [--markdown docs/memory.md]
                                 [--plot docs/images/memory.svg]

Inputs and outputs are int8, resident and included, and nothing is computed twice. `--on` also runs each model
on an emulated board, with `--optimize-for memory`, and tells the RAM that the linker sees and the stack.
"""

import math
import os
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import tinycc
from benchmarks.peer_figures import PEERS, PeerFigures
from tinycc.compiler import CompiledModel
from tinycc.errors import UnsupportedError
from tinycc.report.figures import format_bytes
from tinycc.run import run

ROOT = Path(__file__).resolve().parents[1]
# What is compiled, by heading: options of `tinycc.compile`.
SCHEDULES: dict[str, dict[str, Any]] = {
    "whole tensors": {"schedule": "whole"},
    "least": {"optimize_for": "memory"},
    "rows in": {"optimize_for": "memory", "input_mode": "rows"},
}
WHOLE, LEAST, ROWS = SCHEDULES


@dataclass(frozen=True)
class Goal:
    """A model and what it must need at most; `peer` is None where nobody else was measured.

    best_bytes: of any peer; where there is none, what lives at once if elementwise operators run in place.
    most_rows_bytes: where the input comes row by row; None where nothing was asked.
    """

    model: str
    title: str
    best_bytes: int
    most_bytes: int
    most_rows_bytes: int | None
    peer: PeerFigures | None


# Derived on paper: the best sequence of stages, each with its larger resident edge and k rows for each ring.
MOST_BYTES = {
    "mlperf_ad_ae_int8": 800,
    "mlperf_kws_dscnn_int8": 6_000,
    "mlperf_ic_resnet8_int8": 18_500,
    "mlperf_vww_mbv1_int8": 28_500,
    "tflm_person_detect": 15_200,
    "tflm_micro_speech_int8": 2_200,
    "te_vww": 22_500,
    "te_detection": 77_500,
}
MOST_ROWS_BYTES = {
    "mlperf_vww_mbv1_int8": 15_200,
    "tflm_person_detect": 15_200,
    "te_vww": 17_000,
    "te_detection": 45_000,
}
GOALS = (
    *(
        Goal(
            peer.model,
            peer.title,
            peer.least_bytes,
            MOST_BYTES[peer.model],
            MOST_ROWS_BYTES.get(peer.model),
            peer,
        )
        for peer in PEERS
    ),
    Goal("cfu_mnv2_160_035", "MobileNetV2 0.35, 160x160", 384_000, 83_500, None, None),
)


@dataclass(frozen=True)
class Measurement:
    """The arenas of a model by schedule; lower bound, RAM and stack are those of the least.

    A schedule is absent where the model cannot have it.
    """

    goal: Goal
    arenas: dict[str, int]
    lower_bound_bytes: int
    ram_bytes: int | None
    stack_bytes: int | None

    @property
    def least_bytes(self) -> int:
        """The arena of `--optimize-for memory`."""
        return self.arenas[LEAST]


def measure(corpus: Path, goal: Goal, board: str | None) -> Measurement:
    path = corpus / "tflite" / "int8" / f"{goal.model}.tflite"
    compiled = {}
    for name, options in SCHEDULES.items():
        with suppress(UnsupportedError):
            compiled[name] = tinycc.compile(path, **options)
    for name, model in compiled.items():
        if model.report["extra_macs"]:
            raise SystemExit(f"{goal.model}, {name}: {model.report['extra_macs']:,} MACs are computed again")
    least = compiled[LEAST]
    ram, stack = run_on(board, least, corpus / "golden" / f"{goal.model}.npz") if board else (None, None)
    arenas = {name: model.report["arena_bytes"] for name, model in compiled.items()}
    return Measurement(goal, arenas, least.report["lower_bound_bytes"], ram, stack)


def run_on(board: str, compiled: CompiledModel, golden: Path) -> tuple[int | None, int | None]:
    """RAM and stack of one inference on an emulated board, which must give the host's bytes."""
    cases = np.load(golden)
    inputs = [cases[f"in{index}"][:1] for index in range(len(compiled.report["inputs"]))]
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "model"
        compiled.export(folder)
        expected = run(folder, "host", inputs).outputs
        result = run(folder, board, inputs)
    if not all(map(np.array_equal, result.outputs, expected)):
        raise SystemExit(f"{compiled.request.model}: {board} and the host differ")
    return result.ram_bytes, result.stack_bytes


def as_markdown(found: Sequence[Measurement], board: str | None) -> str:
    """The table, with what it shows and how it was made."""
    headings = ["model", "TFLite Micro", "TinyEngine", WHOLE, LEAST, "bound", "at most", "of the best peer"]
    headings += [ROWS, "at most"]
    headings += [f"RAM on {board}", "stack"] if board else []
    lines = ["| " + " | ".join(headings) + " |", "|---" + "|--:" * (len(headings) - 1) + "|"]
    lines += ["| " + " | ".join(_row(item, board)) + " |" for item in found]
    head = (
        "# Memory\n\n"
        "Made by `python -m benchmarks.memory --on cortex-m4 --markdown docs/memory.md --plot "
        "docs/images/memory.svg`. Bytes of SRAM for one inference, inputs and outputs (int8) resident "
        "and included, nothing computed twice. *Least* is `--optimize-for memory`, *bound* what no "
        "placement of its buffers goes below, *at most* what was to be reached. *Rows in* is the same with "
        "`--input-mode rows`, where the input comes row by row and never stands in memory whole. Figures of "
        "TinyEngine are in brackets where its output is wrong or it refuses the model: what its planner "
        "allots. The best peer of cfu_mnv2_160_035 is what lives at once if elementwise operators run in "
        "place.\n\n"
        "![Bytes of SRAM by model](images/memory.svg)\n\n"
    )
    return head + "\n".join(lines) + "\n"


def _row(item: Measurement, board: str | None) -> list[str]:
    goal = item.goal
    cells = [
        goal.model,
        f"{goal.peer.tflm.arena_bytes:,}" if goal.peer else "",
        _tinyengine(goal.peer),
        f"{item.arenas[WHOLE]:,}",
        f"{item.least_bytes:,}",
        f"{item.lower_bound_bytes:,}",
        _goal(goal.most_bytes, item.least_bytes),
        f"{item.least_bytes / goal.best_bytes:.2f}",
        f"{item.arenas[ROWS]:,}" if ROWS in item.arenas else "",
        _goal(goal.most_rows_bytes, item.arenas.get(ROWS)),
    ]
    return cells + ([f"{item.ram_bytes:,}", f"{item.stack_bytes:,}"] if board else [])


def _goal(most: int | None, reached: int | None) -> str:
    if most is None:
        return ""
    return f"{most:,}" if reached is not None and reached <= most else f"{most:,} (missed)"


def _tinyengine(peer: PeerFigures | None) -> str:
    if peer is None:
        return ""
    figures = peer.tinyengine
    if figures.sram_bytes is not None:
        patched = f" (patches {figures.patched_bytes:,})" if figures.patched_bytes else ""
        return f"{figures.sram_bytes:,}{patched}"
    return f"({figures.claimed_bytes:,})" if figures.claimed_bytes else ""


@dataclass(frozen=True)
class Dot:
    """A figure in the plot: `series` colours it."""

    x: float
    series: str
    tip: str


@dataclass(frozen=True)
class Line:
    """A model in the plot: its dots and what is written beside them."""

    y: float
    title: str
    dots: list[Dot]
    first: float
    last: float
    least_text: str
    share_text: str


LEFT, RIGHT, TOP, ROW, WIDTH = 250, 130, 62, 40, 880
SMALLEST, LARGEST = 512, 512 * 1024
TICKS = (1, 4, 16, 64, 256)


def place(size: int) -> float:
    """The x of a size, on a logarithmic scale."""
    share = math.log(size / SMALLEST) / math.log(LARGEST / SMALLEST)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def draw(found: Iterable[Measurement]) -> str:
    """The plot as SVG: a row for each model with peers, smallest first, a dot for each engine."""
    lines = []
    compared = [item for item in found if item.goal.peer is not None]
    for row, item in enumerate(sorted(compared, key=lambda item: item.least_bytes)):
        dots = [Dot(place(size), series, f"{name}: {size:,} B") for series, name, size in _sizes(item)]
        lines.append(
            Line(
                y=TOP + ROW * row + ROW / 2,
                title=item.goal.title,
                dots=dots,
                first=min(dot.x for dot in dots),
                last=max(dot.x for dot in dots),
                least_text=format_bytes(item.least_bytes),
                share_text=f"{item.goal.best_bytes / item.least_bytes:.1f}",
            )
        )
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("memory.svg.j2").render(
        lines=lines,
        ticks=[(place(1024 * size), f"{size} KiB") for size in TICKS],
        width=WIDTH,
        height=TOP + ROW * len(lines) + 14,
        left=LEFT,
        top=TOP,
        right=WIDTH - 20,
    )


def _sizes(item: Measurement) -> list[tuple[str, str, int]]:
    """Series, name and bytes of all figures of a model, tinycc's least last."""
    peer = item.goal.peer
    assert peer is not None
    sizes = [("tflm", "TFLite Micro", peer.tflm.arena_bytes)]
    engine = peer.tinyengine
    right = engine.patched_bytes or engine.sram_bytes
    if right is not None:
        sizes.append(("tinyengine", "TinyEngine", right))
    elif engine.claimed_bytes is not None:
        sizes.append(("claimed", f"TinyEngine ({engine.note})", engine.claimed_bytes))
    sizes.append(("whole", "tinycc, whole tensors", item.arenas[WHOLE]))
    if item.arenas.get(ROWS, item.least_bytes) < item.least_bytes:
        sizes.append(("rows", "tinycc, input by rows", item.arenas[ROWS]))
    return [*sizes, ("least", "tinycc", item.least_bytes)]


@click.command()
@click.option(
    "--corpus",
    type=click.Path(path_type=Path),
    default=os.environ.get("TINYCC_CORPUS", ROOT / "../shared/corpus"),
)
@click.option("--on", "board", help="Emulated board to run on, e.g. cortex-m4.")
@click.option("--markdown", type=click.Path(path_type=Path), help="File to write the table to.")
@click.option("--plot", type=click.Path(path_type=Path), help="SVG file to write the plot to.")
def main(corpus: Path, board: str | None, markdown: Path | None, plot: Path | None) -> None:
    """Compile all models and print the table."""
    found = [measure(corpus, goal, board) for goal in GOALS]
    table = as_markdown(found, board)
    click.echo(table)
    if markdown:
        markdown.write_text(table, encoding="utf-8")
    if plot:
        plot.parent.mkdir(parents=True, exist_ok=True)
        plot.write_text(draw(found), encoding="utf-8")


if __name__ == "__main__":
    main()
