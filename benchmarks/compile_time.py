"""Measure what compiling costs: CPU seconds of one process, once everything is imported.

    python -m benchmarks.compile_time [--case NAME]...

Another tree is measured by the same script with PYTHONPATH set to it, in the same session: seconds depend on
the machine and on what else it does. Two models of the corpus, and two modules that are made to be hard: one
of fallbacks only, each of which TVM lowers, and a chain of layers all of whose runs could be stages.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import click
import numpy as np
import tvm
from tvm import relax

import tinycc
from tests.tools.corpus import corpus_folder
from tinycc.edges import Edge, Edges, with_edges

FALLBACKS = 208
CHAIN = 200


def module_of(shape: tuple[int, ...], dtype: str, body: Callable[[relax.Expr], relax.Expr]) -> tvm.IRModule:
    """A module of one function of one tensor, with edges that say just that."""
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(shape, dtype))
    with builder.function("main", [x]):
        with builder.dataflow():
            result = builder.emit_output(builder.emit(body(x)))
        builder.emit_func_output(result)
    module = builder.get()
    edges = [Edge(name, dtype, shape) for name in ("input0", "output0")]
    module.update_func(
        module.get_global_var("main"), with_edges(module["main"], Edges((edges[0],), (edges[1],)))
    )
    return module


def fallbacks() -> tvm.IRModule:
    """Powers of powers, none like another."""

    def body(x: relax.Expr) -> relax.Expr:
        for index in range(FALLBACKS):
            x = relax.op.power(x, relax.const(np.float32(1 + index / 1000)))
        return x

    return module_of((1, 8, 8, 4), "float32", body)


def chain() -> tvm.IRModule:
    """Maxima of 3x3 pixels, which keep the shape."""

    def body(x: relax.Expr) -> relax.Expr:
        for _ in range(CHAIN):
            x = relax.op.nn.max_pool2d(x, (3, 3), padding=(1, 1), layout="NHWC")
        return x

    return module_of((1, 32, 32, 4), "int8", body)


@dataclass(frozen=True)
class Case:
    """What is compiled, and how."""

    model: Callable[[], Any]
    options: dict[str, str] = field(default_factory=dict)


def of_corpus(name: str) -> Callable[[], Any]:
    """A model of the corpus."""
    return lambda: corpus_folder() / "tflite" / "int8" / f"{name}.tflite"


CASES = {
    "te_vww, memory": Case(of_corpus("te_vww"), {"target": "cortex-m55", "optimize_for": "memory"}),
    "te_vww": Case(of_corpus("te_vww"), {"target": "cortex-m4"}),
    "keyword_spotting": Case(of_corpus("mltk_keyword_spotting_on_off_v3"), {"target": "cortex-m4"}),
    f"{FALLBACKS} fallbacks": Case(fallbacks, {"io": "float"}),
    f"chain of {CHAIN}": Case(chain),
}


def seconds_of(case: Case) -> float:
    """CPU seconds of a compilation and its report."""
    model = case.model()
    start = time.process_time()
    assert tinycc.compile(model, **case.options).report
    return time.process_time() - start


@click.command()
@click.option("--case", "names", multiple=True, type=click.Choice(list(CASES)), help="All without.")
def main(names: tuple[str, ...]) -> None:
    """Compile each case once and print its seconds."""
    seconds_of(Case(of_corpus("tflm_hello_world_int8")))
    for name in names or CASES:
        click.echo(f"{name:20} {seconds_of(CASES[name]):8.2f} s")


if __name__ == "__main__":
    main()
