"""Layers with weights of four bits, beside the same layers with a byte for each weight, on emulated cores.

    python -m benchmarks.int4 [--core NAME]... [--markdown PAGE]

Instructions of the layer alone and flash of its constants, of random layers. `--markdown` writes the tables
between the marks of a page.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import tvm
from tvm import relax

import tinycc
from benchmarks.tables import number, table, write_measured
from tests.tools.layers import Weights, inputs_of, layer_module
from tinycc.ops.narrow import NARROW_RANGE
from tinycc.run import run

CORES = {"cortex-m0": "Cortex-M0", "cortex-m4": "Cortex-M4", "cortex-m55": "Cortex-M55"}


def convolution(size: int, kernel: int, inputs: int, outputs: int, *, groups: int = 1) -> tvm.IRModule:
    """A convolution of size x size pixels that keeps their number."""

    def product(x: relax.Expr, weights: relax.Expr) -> relax.Expr:
        return relax.op.nn.conv2d(
            x, weights, data_layout="NHWC", kernel_layout="HWIO", padding=[kernel // 2] * 4, groups=groups
        )

    weights = Weights((kernel, kernel, inputs // groups, outputs), outputs, 3)
    return layer_module(product, (1, size, size, inputs), weights, **RANGES)


def dense(inputs: int, outputs: int) -> tvm.IRModule:
    """A dense layer of one vector."""
    return layer_module(relax.op.matmul, (1, inputs), Weights((inputs, outputs), outputs, 1), **RANGES)


def relu(value: relax.Expr) -> relax.Expr:
    """As most layers have it."""
    return relax.op.nn.relu(value)


RANGES = {"weight_range": NARROW_RANGE, "activation": relu, "zero_points": (-128, -128)}
LAYERS = {
    "dense 128 to 10": lambda: dense(128, 10),
    "dense 256 to 64": lambda: dense(256, 64),
    "dense 640 to 128": lambda: dense(640, 128),
    "1x1, 8x8 pixels, 16 to 64": lambda: convolution(8, 1, 16, 64),
    "1x1, 8x8 pixels, 64 to 64": lambda: convolution(8, 1, 64, 64),
    "1x1, 5x5 pixels, 36 to 33": lambda: convolution(5, 1, 36, 33),
    "3x3, 8x8 pixels, 16 to 16": lambda: convolution(8, 3, 16, 16),
    "3x3, 8x8 pixels, 3 to 48": lambda: convolution(8, 3, 3, 48),
    "depthwise 3x3, 8x8 pixels, 128": lambda: convolution(8, 3, 128, 128, groups=128),
    "depthwise 5x5, 8x8 pixels, 64": lambda: convolution(8, 5, 64, 64, groups=64),
}


@dataclass(frozen=True)
class Measured:
    """A layer on a core: its kernel, the instructions it takes, the flash of its constants."""

    variant: str
    instructions: int
    bytes: int


def measure(module: tvm.IRModule, core: str, *, narrow: bool) -> Measured:
    """A layer with or without weights in pairs."""
    with tvm.transform.PassContext(disabled_pass=[] if narrow else ["NarrowWeights"]):
        compiled = tinycc.compile(module, target=core)
    [step] = compiled.plan.steps
    with tempfile.TemporaryDirectory() as parent:
        compiled.export(Path(parent) / "model")
        inputs = [values[np.newaxis] for values in inputs_of(step.operator, 0)]
        result = run(Path(parent) / "model", core, inputs, profile=True)
    [instructions] = result.operator_instructions or [0]
    return Measured(step.operator.variant, instructions, step.operator.call().data_bytes)


def rows(core: str) -> list[list[str]]:
    """All layers on a core."""
    found = []
    for name, make in LAYERS.items():
        module = make()
        bytewise, narrow = (measure(module, core, narrow=choice) for choice in (False, True))
        found.append(
            [
                name,
                narrow.variant,
                number(bytewise.instructions),
                number(narrow.instructions),
                f"{narrow.instructions / bytewise.instructions:.2f}",
                number(bytewise.bytes),
                number(narrow.bytes),
                f"{narrow.bytes / bytewise.bytes:.2f}",
            ]
        )
    return found


def page(cores: Sequence[str]) -> str:
    """A table for each core."""
    headings = ["layer", "kernel", "instructions, int8", "int4", "ratio", "bytes, int8", "int4", "ratio"]
    return "\n".join(f"{CORES[core]}:\n\n{table(headings, rows(core))}" for core in cores)


@click.command()
@click.option("--core", "cores", multiple=True, type=click.Choice(list(CORES)), help="All without.")
@click.option("--markdown", type=click.Path(path_type=Path), help="The page to write the tables into.")
def main(cores: tuple[str, ...], markdown: Path | None) -> None:
    """Measure and print, or write into a page."""
    text = page(cores or list(CORES))
    if markdown is None:
        click.echo(text)
    else:
        write_measured(markdown, text + "\n", "int4 kernels")


if __name__ == "__main__":
    main()
