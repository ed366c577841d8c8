"""Generated C against TFLite Micro's own interpreter, operator by operator, to the bit."""

from pathlib import Path

import numpy as np
import pytest
import tvm

from tests.tools.corpus import SLOW
from tests.tools.kernel_runner import run_plan
from tests.tools.random_operators import DRAWS, random_model
from tests.tools.tflite_writer import run_litert
from tests.tools.tflm import needs_tflm, run_tflm
from tinycc.frontend.tflite import load_tflite
from tinycc.frontend.tflite.converter import CONVERTERS
from tinycc.passes.pipeline import default_passes
from tinycc.plan import Plan, build_plan

# TFLM does not run these on int8; LiteRT's reference kernels do.
LITERT = {"EXP", "GELU", "GELU by tanh", "LOG", "NEG", "RELU_0_TO_1", "RELU_N1_TO_1", "SQRT", "TILE"}
# Compared with TFLM by tests of their own, as they have a state.
STATEFUL = {"ASSIGN_VARIABLE", "READ_VARIABLE", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM"}
# Of constants alone, or around a convolution, of which they become a part.
ABSORBED = {
    "BATCH_TO_SPACE_ND", "BROADCAST_ARGS", "FILL", "RANGE", "RANK", "REDUCE_PROD", "SPACE_TO_BATCH_ND",
    "ZEROS_LIKE",
}  # fmt: skip
# Of numbers that are not quantized: tests/frontend/test_tflite_unquantized.py.
UNQUANTIZED = {
    "ADD_N", "CEIL", "COS", "CUMSUM", "EQUAL", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "GREATER", "GREATER_EQUAL",
    "L2_POOL_2D", "LESS", "LESS_EQUAL", "LOGICAL_AND", "LOGICAL_NOT", "LOGICAL_OR",
    "NOT_EQUAL", "POW", "ROUND", "SELECT", "SIGN", "SIN", "SQUARE",
}  # fmt: skip


def plan_of(path: Path) -> Plan:
    """A plan of the operators in the file's order: these depend on nothing, so there are many orders."""
    passes = [
        each for each in default_passes("float") if each.info.name not in ("OrderOperators", "ScheduleStages")
    ]
    return build_plan(tvm.transform.Sequential(passes)(load_tflite(path)))


@needs_tflm
@pytest.mark.parametrize(("kind", "dtype"), DRAWS)
def test_equals_tflite_micro(kind: str, dtype: str, tmp_path: Path) -> None:
    for seed in range(20 if SLOW else 1):
        model = random_model(kind, dtype, seed)
        path = tmp_path / "model.tflite"
        path.write_bytes(model.content)
        run = run_litert if kind in LITERT else run_tflm
        expected = run(path, [value[None] for value in model.inputs])
        [results] = run_plan(plan_of(path), [model.inputs], sanitize=True)
        for result, [right] in zip(results, expected, strict=True):
            np.testing.assert_array_equal(result, right)


def test_every_operator_that_is_taken_is_compared() -> None:
    assert CONVERTERS.keys() - {kind.split()[0] for kind, _ in DRAWS} == STATEFUL | ABSORBED | UNQUANTIZED
