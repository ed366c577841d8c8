"""Streaming wake words: arena, states included, and instructions of a step, beside the published arenas.

    python -m benchmarks.streaming [--corpus PATH] [--markdown docs/streaming.md]

Every step of all sequences has to be that of TFLite Micro, to the bit. `--markdown` writes the tables between
the marks of a page.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

import tinycc
from benchmarks.measuring import WrongOutputError
from benchmarks.tables import CORES, number, table, write_measured
from tests.tools.corpus import corpus_folder, load_arrays
from tinycc.run import run

# Bytes of the tensor arena that the models are published with (esphome/micro-wake-word-models, models/v2).
PUBLISHED = {"vad": 16_772, "okay_nabu": 26_080, "hey_jarvis": 22_860}
TARGETS = ("cortex-m4", "cortex-m55", "rv32imc")
LINKED = ("vad", "okay_nabu")
SEQUENCES = ("seq0", "seq1", "seq2")


@dataclass(frozen=True)
class Step:
    """A model on a core. instructions: mean of a step."""

    model: str
    target: str
    arena_bytes: int
    state_bytes: int
    instructions: int


def measure(corpus: Path, name: str, target: str, folder: Path) -> Step:
    """A model, compiled for a core, over all sequences; WrongOutputError where a step differs."""
    compiled = tinycc.compile(corpus / "streaming" / f"{name}.tflite", target=target, name=name)
    compiled.export(folder)
    golden = load_arrays(corpus / "streaming" / f"{name}.npz")
    counts = []
    for sequence in SEQUENCES:
        result = run(folder, target, [golden[f"{sequence}_in"]], keep_state=True)
        if not np.array_equal(result.outputs[0], golden[f"{sequence}_out_tflm"]):
            raise WrongOutputError(f"{name}: {sequence} on {target} is not the reference's")
        counts.append(result.instructions or 0)
    report = compiled.report
    return Step(name, target, report["arena_bytes"], report["state_bytes"], round(float(np.mean(counts))))


def page(steps: list[Step], linked: dict[str, Any]) -> str:
    """The tables as Markdown."""
    headings = ["model", "published", *(f"{CORES[target]}" for target in TARGETS), "of it states"]
    arenas = []
    costs = []
    for model, published in PUBLISHED.items():
        own = [step for step in steps if step.model == model]
        arenas.append(
            [
                model,
                number(published),
                *(f"{number(step.arena_bytes)} ({step.arena_bytes / published:.0%})" for step in own),
                number(own[0].state_bytes),
            ]
        )
        costs.append([model, *(number(step.instructions) for step in own)])
    return (
        "Bytes of the arena, states included:\n\n"
        + table(headings, arenas)
        + "\nInstructions of a step:\n\n"
        + table(["model", *(CORES[target] for target in TARGETS)], costs)
        + f"\n{' and '.join(LINKED)} in one firmware for the M4: {linked['memory_bytes']:,} bytes, "
        f"{linked['shared_bytes']:,} of which they share; apart {linked['separate_bytes']:,}.\n"
    )


@click.command()
@click.option("--corpus", type=click.Path(path_type=Path), default=corpus_folder)
@click.option("--markdown", type=click.Path(path_type=Path), help="The page to write the tables into.")
def main(corpus: Path, markdown: Path | None) -> None:
    """Measure and print, or write into a page."""
    with tempfile.TemporaryDirectory() as parent:
        work = Path(parent)
        steps = [
            measure(corpus, name, target, work / f"{name}_{target}")
            for name in PUBLISHED
            for target in TARGETS
        ]
        linked = tinycc.link([work / f"{name}_cortex-m4" for name in LINKED], work / "linked")
    text = page(steps, linked)
    if markdown is None:
        click.echo(text)
    else:
        write_measured(markdown, text)


if __name__ == "__main__":
    main()
