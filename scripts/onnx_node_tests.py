"""Run ONNX's own node tests through the generated C on the host, and write the tables of docs/onnx.md.

    PYTHONPATH=. .venv/bin/python scripts/onnx_node_tests.py --write docs/onnx.md
    PYTHONPATH=. .venv/bin/python scripts/onnx_node_tests.py --only 'resize|lstm'

The tests are those whose names are in FILE, the corpus's list if not said; `--all` takes every node test
that ONNX has. The inputs of a test are known when it is run: what the compiler must know (axes, bounds ...)
is bound as a constant. A test of an operator with weights runs once more with all inputs but the first bound,
as a network has them, which other kernels may compute. Takes about 6 minutes on one core.
"""

import argparse
import os
import re
import sys
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx.backend.test.case.test_case import TestCase
from onnx.backend.test.loader import load_model_tests

from tinycc.errors import TinyccError
from tinycc.onnx_backend import TinyccRep, as_array, inputs_of

CORPUS = Path(os.environ.get("TINYCC_CORPUS", Path(__file__).parents[2] / "shared" / "corpus"))
NAMES = CORPUS / "ONNX_NODE_TESTS.md"
BEGIN, END = "<!-- node tests: begin -->\n", "<!-- node tests: end -->\n"

# Operators whose inputs but the first are weights, slopes or scales in networks.
WEIGHTED = {
    "BatchNormalization", "Conv", "ConvInteger", "ConvTranspose", "DequantizeLinear", "GRU", "Gemm", "LSTM",
    "MatMul", "MatMulInteger", "PRelu", "QLinearConv", "QLinearMatMul", "QuantizeLinear", "RNN",
}  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """How a test ended: `reason` is empty where the outputs are right, `kernels` what computed them."""

    kernels: str = ""
    reason: str = ""


def run_case(case: TestCase, constants: tuple[str, ...] = ()) -> Outcome:
    """Compile, build and run a test; its outputs are compared as ONNX's own runner does."""
    inputs, expected = case.data_sets[0]
    model = TinyccRep(case.model, constants)
    try:
        outputs = model.run(inputs)
    except TinyccError as error:
        return Outcome(reason=re.sub(r"^\S*/model\.onnx: ", "", str(error)))
    assert model.compiled is not None
    for output, value in zip(outputs, expected, strict=True):
        wanted = as_array(value)
        if (output.shape, output.dtype) != (wanted.shape, wanted.dtype):
            return Outcome(reason=f"WRONG: {output.dtype} {output.shape}, not {wanted.dtype} {wanted.shape}")
        if not np.allclose(output, wanted, case.rtol, case.atol, equal_nan=True):
            return Outcome(
                reason=f"WRONG: off by {np.abs(output.astype(float) - wanted.astype(float)).max()}"
            )
    if model.warnings:
        return Outcome(reason=f"WRONG: the C compiler warns: {model.warnings.splitlines()[0]}")
    kinds = dict.fromkeys(
        "loops" if step.operator.kind == "fallback" else step.operator.kind
        for step in model.compiled.plan.steps
    )
    return Outcome(kernels=", ".join(kinds) or "none")


def operator_of(case: TestCase) -> str:
    """The operator that a test is about."""
    return str(case.model.graph.node[-1].op_type)


def run_all(cases: list[TestCase]) -> tuple[dict[str, Outcome], dict[str, Outcome]]:
    """What came of each test, and of the second run with weights as constants where there is one."""
    first, second = {}, {}
    for case in cases:
        first[case.name] = run_case(case)
        weights = tuple(inputs_of(case.model)[1:])
        if operator_of(case) in WEIGHTED and weights and not first[case.name].reason:
            second[case.name] = run_case(case, weights)
        for outcome in (first[case.name], second.get(case.name, Outcome())):
            if outcome.reason:
                print(f"{case.name}: {outcome.reason}", flush=True)
    return first, second


def tables(cases: list[TestCase], first: dict[str, Outcome], second: dict[str, Outcome]) -> str:
    """The Markdown of docs/onnx.md."""
    by_operator = defaultdict(list)
    for case in cases:
        by_operator[operator_of(case)].append(case.name)
    lines = [
        f"{sum(not outcome.reason for outcome in first.values())} of {len(cases)} tests pass (onnx "
        f"{onnx.__version__}); of {len(second)} with weights, "
        f"{sum(not outcome.reason for outcome in second.values())} pass with the weights as constants.",
        "",
        "| operator | passed | computed by | weights as constants |",
        "|---|---|---|---|",
    ]
    for operator, names in sorted(by_operator.items()):
        passed = sum(not first[name].reason for name in names)
        kernels = f"{_kernels(first, names)} | {_kernels(second, names)}"
        lines.append(f"| {operator} | {passed} of {len(names)} | {kernels} |")
    lines += ["", "The others:", "", "| test | reason |", "|---|---|"]
    for case in cases:
        for outcomes, note in ((first, ""), (second, " (weights as constants)")):
            if case.name in outcomes and outcomes[case.name].reason:
                reason = outcomes[case.name].reason.replace("|", "/")
                lines.append(f"| {case.name}{note} | {reason} |")
    return "\n".join(lines) + "\n"


def _kernels(outcomes: dict[str, Outcome], names: list[str]) -> str:
    kinds = [outcomes[name].kernels for name in names if name in outcomes and not outcomes[name].reason]
    return "; ".join(dict.fromkeys(kinds))


def main() -> int:
    """Parse the arguments, run, print or write the tables; 1 where a result was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--names", type=Path, default=NAMES, metavar="FILE", help="a text with names of tests"
    )
    parser.add_argument("--all", action="store_true", help="every node test")
    parser.add_argument("--only", default="", help="tests whose name this pattern is found in")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="where to put the tables")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    cases = load_model_tests(kind="node")
    if not arguments.all:
        names = set(re.findall(r"\btest_\w+", arguments.names.read_text(encoding="utf-8")))
        cases = [case for case in cases if case.name in names]
    cases = [case for case in cases if re.search(arguments.only, case.name)]
    first, second = run_all(cases)
    text = tables(cases, first, second)
    if arguments.write:
        page = arguments.write.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN)
        arguments.write.write_text(before + BEGIN + text + END + rest.split(END)[1], encoding="utf-8")
    else:
        print(text)
    return int(any(outcome.reason.startswith("WRONG") for outcome in [*first.values(), *second.values()]))


if __name__ == "__main__":
    sys.exit(main())
