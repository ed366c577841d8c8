"""A training step of mcunet-5fps at 128x128 with the scheme of 49 kB, beside TinyEngine's.

    python -m benchmarks.training_step [--markdown PAGE]

The network, and what trains of it, is of the graph that TinyEngine's authors published, which the corpus has.
Memory is .data and .bss without the stack, of firmware for an emulated core; instructions are of one step.
What TinyEngine's takes of the flash is given to the compiler, which spends what is left on wide weights.
A last table has both kinds of gradients on a core without FPU, and of a small network.
`--markdown` writes the tables between the marks of a page.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import numpy as np
import tvm

from benchmarks.tables import number, ratio, table, write_measured
from tests.tools.corpus import corpus_folder
from tests.tools.training_graphs import training_graph
from tests.tools.tte_graph import TrainingGraph
from tinycc import training
from tinycc.run import RunResult, train
from tinycc.training import LayerScheme, Scheme, full
from tinycc.training.gradients import GradientType
from tinycc.training.layers import Layer
from tinycc.training.scheme import AnyScheme

CORES = {"cortex-m4": "Cortex-M4", "cortex-m7": "Cortex-M7"}
GRADIENTS: tuple[GradientType, ...] = ("float", "integer")
# What TinyEngine's own C of this graph was measured to take.
PEER_INSTRUCTIONS = {"cortex-m4": 120_100_000, "cortex-m7": 106_400_000}
PEER_MEMORY, PEER_FLASH = 231_512, 669_668
RATE = 1e-3


def scheme(layers: Mapping[str, Layer]) -> Scheme:
    """Biases of the last 21 layers, weights of three at a share, and the head."""
    names = list(layers)
    shares = {24: 0.25, 27: 0.5, 30: 0.5, 42: 1.0}
    return Scheme(
        {names[index]: LayerScheme(bias=True, weights=shares.get(index, 0.0)) for index in range(22, 43)}
    )


def measure(
    module: tvm.IRModule, chosen: AnyScheme, core: str, gradients: GradientType
) -> tuple[RunResult, Counter[str]]:
    """A step on a core; its instructions by kind of operator and kernel."""
    compiled = training.compile(
        module, scheme=chosen, target=core, gradients=gradients, flash=PEER_FLASH, optimize_for="memory"
    )
    with tempfile.TemporaryDirectory() as parent:
        compiled.export(Path(parent) / "model")
        shape = compiled.plan.edges.inputs[0].shape
        image = np.random.default_rng(0).integers(-128, 128, (1, *shape)).astype(np.int8)
        result = train(Path(parent) / "model", core, [image], np.array([3]), RATE, profile=True)
    by_kind: Counter[str] = Counter()
    operators = compiled.report["training"]["operators"]
    for operator, count in zip(operators, result.operator_instructions or [], strict=True):
        by_kind[f"{operator['kind']}, {operator['variant']}"] += count
    return result, by_kind


def page(module: tvm.IRModule) -> str:
    """The step beside TinyEngine's, and what its instructions are spent on."""
    ways = [(core, gradients) for core in CORES for gradients in GRADIENTS]
    steps = {way: measure(module, scheme, *way) for way in ways}
    rows = []
    for core, title in CORES.items():
        results = [steps[core, gradients][0] for gradients in GRADIENTS]
        own = {
            "instructions": ([result.instructions for result in results], PEER_INSTRUCTIONS[core]),
            ".data + .bss": ([result.ram_bytes for result in results], PEER_MEMORY),
            "flash": ([result.flash_bytes for result in results], PEER_FLASH),
        }
        rows += [
            [f"{title}, {name}", *(number(value) for value in values), number(peer)]
            for name, (values, peer) in own.items()
        ]
    total: Counter[str] = Counter()
    for _, by_kind in steps.values():
        total.update(by_kind)
    kinds = [
        [kind, *(number(by_kind[kind]) for _, by_kind in steps.values())] for kind, _ in total.most_common(20)
    ]
    titles = [f"{CORES[core]}, {gradients}" for core, gradients in ways]
    return "\n".join(
        [
            table(["gradients", *GRADIENTS, "TinyEngine"], rows),
            table(["operators, kernel", *titles], kinds),
            table(["gradients", *GRADIENTS, "ratio"], list(other_rows(module))),
        ]
    )


def other_rows(module: tvm.IRModule) -> Iterator[list[str]]:
    """A step on a core without FPU, and one of a small network."""
    small = training_graph(1)
    steps: dict[str, tuple[tvm.IRModule, AnyScheme, str]] = {
        "8 layers on 8x8 pixels, Cortex-M0": (small, full, "cortex-m0"),
        "8 layers on 8x8 pixels, Cortex-M4": (small, full, "cortex-m4"),
        "mcunet-5fps, Cortex-M0": (module, scheme, "cortex-m0"),
    }
    for name, step in steps.items():
        real, whole = (measure(*step, gradients)[0] for gradients in GRADIENTS)
        pairs = {
            "instructions": (real.instructions, whole.instructions),
            ".data + .bss": (real.ram_bytes, whole.ram_bytes),
            "flash": (real.flash_bytes, whole.flash_bytes),
        }
        for what, (a, b) in pairs.items():
            yield [f"{name}, {what}", number(a), number(b), ratio(b, a)]


@click.command()
@click.option("--markdown", type=click.Path(path_type=Path), help="The page to write the tables into.")
def main(markdown: Path | None) -> None:
    """Measure and print, or write into a page."""
    text = page(TrainingGraph.load(corpus_folder()).module())
    if markdown is None:
        click.echo(text)
    else:
        write_measured(markdown, text, "training step")


if __name__ == "__main__":
    main()
