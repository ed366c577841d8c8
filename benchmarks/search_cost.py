"""What a search is told of a network against what the compiler makes of it, and how long it takes to tell.

    python -m benchmarks.search_cost [--networks 1000] [--whole 100] [--jobs 1] [--quick]
        [--parts FILE] [--markdown PAGE]

Random networks of each space, on devices drawn for each, have canonical weights: the first `--networks` go
through all passes and the planner, `--whole` through the whole compiler, in `--jobs` processes. Times are
what one thread takes of a processor, whatever else that does meanwhile: for a network that nothing is known
of, and for the children of an evolution. `--quick` does all of it with so few networks that the figures say
nothing. What was compared is kept in `--parts`, and not compared again.
"""

import itertools
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np

import tinycc
from benchmarks.records import processor_name
from benchmarks.tables import number, table, write_measured
from tinycc.passes.pipeline import default_pipeline
from tinycc.passes.schedule_stages import considered
from tinycc.plan import build_plan
from tinycc.search.architecture import Architecture
from tinycc.search.canonical import canonical_module
from tinycc.search.cost import Cost, CostModel, Device, constant_bytes
from tinycc.search.evolution import EvolutionOptions, crossed, mutated
from tinycc.search.space import Genome, Space
from tinycc.search.spaces import image_space, separable_image_space, spectrogram_space

SIDES = (24, 28, 32, 40, 48)
SPACES = {
    "images": image_space(SIDES, 3, 10).scaled(0.5, [(side, side) for side in SIDES]),
    "separable images": separable_image_space(SIDES, 3, 10),
    "spectrograms": spectrogram_space(((25, 10), (49, 10), (49, 20)), 10),
}
TARGETS = ("cortex-m0", "cortex-m4", "cortex-m7", "cortex-m55")
BUDGET = "8K"
POPULATION = 20
# Networks of one process at a time.
PART = 25


@dataclass(frozen=True)
class Setup:
    """How many networks are compared, and how many children there are of how many generations.

    jobs: processes that compare.
    """

    networks: int = 1000
    whole: int = 100
    jobs: int = 1
    children: int = 40
    generations: int = 5


@dataclass(frozen=True)
class Times:
    """Seconds of a processor: of networks that nothing is known of, and of children."""

    cold: list[float]
    children: list[float]


def device_of(random: np.random.Generator) -> Device:
    """A core, and how the input comes and what is asked for."""
    return Device(
        target=str(random.choice(TARGETS)),
        input_mode="rows" if random.random() < 0.3 else "tensor",
        optimize_for="memory" if random.random() < 0.3 else "latency",
        sram=None if random.random() < 0.3 else int(random.integers(2, 64)) * 1024,
        max_extra_macs=None if random.random() < 0.5 else "0%",
    )


def options_of(device: Device) -> dict[str, Any]:
    """The options of the compiler that say the same; where memory is not enough, it is to say so."""
    return {name: value for name, value in asdict(device).items() if name != "limits"}


def planned(architecture: Architecture, device: Device, seed: int) -> Cost:
    """Through all passes and the planner."""
    module = default_pipeline(**options_of(device))(canonical_module(architecture, seed))
    plan = build_plan(module)
    [chosen] = [item for item in considered(module) if item["is_chosen"]]
    constants = sum(constant_bytes(step.operator) for step in plan.steps)
    return Cost(plan.arena_bytes, constants, chosen["macs"], chosen["predicted_instructions"])


def compiled(architecture: Architecture, device: Device, seed: int) -> Cost:
    """Through the whole compiler; what does not fit is compiled without a budget that refuses it."""
    report = tinycc.compile(canonical_module(architecture, seed), **options_of(device)).report
    [chosen] = [item for item in report["schedules"] if item["is_chosen"]]
    return Cost(
        report["arena_bytes"], report["weight_bytes"], chosen["macs"], chosen["predicted_instructions"]
    )


@dataclass(frozen=True)
class Part:
    """Networks to be compared.

    is_whole: with the whole compiler, and only such as fit their budget, as nothing else is compiled.
    """

    space: str
    count: int
    seed: int
    is_whole: bool

    def differences(self) -> int:
        """How many cost something else."""
        space, random = SPACES[self.space], np.random.default_rng(self.seed)
        different = seen = 0
        while seen < self.count:
            architecture, device = space.architecture(space.sampled(random)), device_of(random)
            told = CostModel(device).cost(architecture)
            if self.is_whole and device.sram is not None and told.sram_bytes > int(device.sram):
                continue
            different += told != (compiled if self.is_whole else planned)(architecture, device, seen)
            seen += 1
        return different


def compare(setup: Setup, path: Path | None) -> dict[tuple[str, bool], int]:
    """How many networks of each space cost something else; by whether the whole compiler was asked.

    path: of lines of JSON, one for each part that was compared, which are added to.
    """
    parts = [
        Part(space, min(PART, count - begun), begun // PART, is_whole)
        for is_whole, count in ((True, setup.whole), (False, setup.networks))
        for space in SPACES
        for begun in range(0, count, PART)
    ]
    lines = path.read_text().splitlines() if path is not None and path.exists() else []
    known = {Part(**line["part"]): line["different"] for line in map(json.loads, lines)}
    left = [part for part in parts if part not in known]
    with ProcessPoolExecutor(setup.jobs, multiprocessing.get_context("spawn")) as pool:
        asked = {pool.submit(part.differences): part for part in left}
        with click.progressbar(as_completed(asked), length=len(left), label="networks") as bar:
            for answer in bar:
                part = asked[answer]
                known[part] = answer.result()
                if path is not None:
                    with path.open("a") as file:
                        file.write(json.dumps({"part": asdict(part), "different": known[part]}) + "\n")
    found = dict.fromkeys(itertools.product(SPACES, (False, True)), 0)
    for part in parts:
        found[part.space, part.is_whole] += known[part]
    return found


def timed(space: Space, setup: Setup) -> Times:
    """An evolution that keeps what has most multiply-accumulates within a budget."""
    random = np.random.default_rng(0)
    device = Device(sram=BUDGET)
    cold = []
    for _ in range(10):
        architecture = space.architecture(space.sampled(random))
        cold.append(_seconds(lambda known=architecture: CostModel(device).cost(known))[0])
    model, children = CostModel(device), []
    population: list[tuple[int, Genome]] = []
    while len(population) < POPULATION:
        genome = space.sampled(random)
        found = model.cost_within(space.architecture(genome))
        population += [] if found is None else [(found.macs, genome)]
    for _ in range(setup.generations):
        parents = [genome for _, genome in sorted(population, reverse=True)[:POPULATION]]
        for index in range(setup.children):
            one, other = (parents[int(place)] for place in random.integers(len(parents), size=2))
            child = (
                mutated(space, one, EvolutionOptions(), random) if index % 2 else crossed(one, other, random)
            )
            seconds, found = _seconds(lambda known=child: model.cost_within(space.architecture(known)))
            children.append(seconds)
            population += [] if found is None else [(found.macs, child)]
    return Times(cold, children)


def _seconds(ask: Callable[[], Cost | None]) -> tuple[float, Cost | None]:
    begun = time.thread_time()
    found = ask()
    return time.thread_time() - begun, found


def page(setup: Setup, parts: Path | None) -> str:
    """Both tables. parts: as `compare` has it."""
    compared, times = [], []
    different = compare(setup, parts)
    for name, space in SPACES.items():
        passes, whole = different[name, False], different[name, True]
        compared.append([name, number(setup.networks), number(passes), number(setup.whole), number(whole)])
        told = timed(space, setup)
        milliseconds = [
            1000 * value
            for value in (
                statistics.median(told.cold),
                max(told.cold),
                statistics.median(told.children),
                max(told.children),
            )
        ]
        times.append([name, *(f"{value:.0f}" for value in milliseconds)])
    headings = ["space", "networks through passes and plan", "different", "through the compiler", "different"]
    timing = ["space", "cold, median (ms)", "cold, most", "children, median", "children, most"]
    measured = f"{processor_name()}, processor time of one thread."
    return f"{table(headings, compared)}\n{table(timing, times)}\n{measured}\n"


@click.command()
@click.option("--networks", default=Setup.networks, help="How many go through passes and planner.")
@click.option("--whole", default=Setup.whole, help="How many of them through the whole compiler.")
@click.option("--jobs", default=Setup.jobs, help="Processes that compare.")
@click.option("--quick", is_flag=True, help="All of it with very few networks.")
@click.option("--parts", type=click.Path(path_type=Path), help="Where comparisons are kept.")
@click.option("--markdown", type=click.Path(path_type=Path), help="The page that the tables are put into.")
def main(
    networks: int, whole: int, jobs: int, quick: bool, parts: Path | None, markdown: Path | None
) -> None:
    """What a search is told against what the compiler makes, and how long it takes."""
    setup = Setup(2, 1, 1, 2, 1) if quick else replace(Setup(), networks=networks, whole=whole, jobs=jobs)
    text = page(setup, parts)
    print(text)
    if markdown is not None:
        write_measured(markdown, text)


if __name__ == "__main__":
    main()
