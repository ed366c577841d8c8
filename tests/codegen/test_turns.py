"""Members of a stage run in the order that was simulated."""

import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tinycc
from tests.ops import test_input_rows, test_stage, test_stage_grid
from tests.tools.corpus import SLOW
from tests.tools.kernel_runner import run_plan
from tests.tools.layers import random_inputs
from tests.tools.networks import inverted_residual
from tests.tools.random_graphs import random_model
from tinycc import runtime_c
from tinycc.codegen.turns import askers, rows_asked
from tinycc.errors import UnsupportedError
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.row_window import RowWindow
from tinycc.ops.stage import UNCUT, Grid, Stage
from tinycc.ops.streaming import rows_read
from tinycc.plan import Plan
from tinycc.run.toolchain import host_compiler

_TRACING = """
#include <stdio.h>
void model_trace(int operator_index, const int8_t *output)
{
    (void)output;
    fprintf(stderr, "%d ", operator_index);
}
"""


def executed(plan: Plan, inputs: list[np.ndarray]) -> list[int]:
    """The operator of each call of a kernel in one inference, in order."""
    messages: list[str] = []
    run_plan(
        plan, [inputs], True, edit=lambda text: f"#define MODEL_TRACE\n{text}{_TRACING}", messages=messages
    )
    return [int(index) for index in messages[-1].split()]


def simulated(plan: Plan) -> list[int]:
    """The same, as the stages say."""
    found: list[int] = []
    first = 0
    for step in plan.steps:
        stage = step.operator
        if isinstance(stage, Stage):
            found += [first + turn for turn in stage.stream.order] * stage.grid.strips
            first += len(step.members)
        else:
            found.append(first)
            first += 1
    return found


@pytest.mark.parametrize("grid", [UNCUT, *test_stage_grid.GRIDS], ids=str)
@pytest.mark.parametrize("name", test_stage_grid.BODIES)
def test_the_order_of_a_stage(name: str, grid: Grid) -> None:
    plan = test_stage_grid.planned(test_stage_grid.module_for(name), grid)
    assert executed(plan, random_inputs([(test_stage_grid.SHAPE, "int8")], 0)) == simulated(plan)


@pytest.mark.parametrize("name", test_stage.BODIES)
def test_the_order_of_a_stage_that_is_fed_by_rows(name: str) -> None:
    plan = test_input_rows.planned(test_stage.module_for(test_stage.BODIES[name]))
    assert executed(plan, random_inputs([(test_stage.SHAPE, "int8")], 0)) == simulated(plan)


@settings(max_examples=300 if SLOW else 8)
@given(seed=st.integers(0, 2**31))
def test_the_order_of_random_graphs(seed: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    model = random_model(seed)
    path = tmp_path_factory.mktemp("graph") / "model.tflite"
    path.write_bytes(model.content)
    ways = [{"schedule": "stream"}, {"schedule": "patch:2x2"}, {"input_mode": "rows"}]
    try:
        plan = tinycc.compile(path, **ways[seed % len(ways)]).plan
    except UnsupportedError:
        plan = tinycc.compile(path, schedule="stream").plan
    shapes = [(tensor.shape, tensor.dtype) for tensor in plan.input_tensors]
    assert executed(plan, random_inputs(shapes, 0)) == simulated(plan)


def test_after_a_row_it_is_the_turn_of_the_member_that_all_who_need_it_answer_to() -> None:
    [step] = test_stage.planned(inverted_residual(), "stream").steps
    assert isinstance(step.operator, Stage)
    assert askers(step.operator) == [1, 2, 3, 3]
    [step] = test_stage_grid.planned(test_stage_grid.module_for("residual"), UNCUT).steps
    assert isinstance(step.operator, Stage)
    members = [member.kind for member in step.operator.members]
    assert [members[asker] for asker in askers(step.operator)] == ["conv2d", "add", "add", "add"]


def call_with(rows: int, window: RowWindow) -> RowCall:
    return RowCall("", "", "", {}, {}, (window,), rows, 1, 10)


@pytest.mark.parametrize(
    ("rows", "window", "text"),
    [
        (9, RowWindow(9, 10), "y + 1"),
        (4, RowWindow(9, 10, rows=3, stride=2), "y * 2 + 3"),
        (9, RowWindow(9, 10, rows=3, pad_top=1), "tinycc_min(y + 2, 9)"),
        (18, RowWindow(9, 10, divisor=2), "y / 2 + 1"),
        (9, RowWindow(1, 10, stride=0), "1"),
        (9, RowWindow(9, 10, rows=3, dilation=2, pad_top=2), "tinycc_rows_asked(y - 2, 2, 3, 9)"),
    ],
)
def test_rows_that_are_asked_for_in_the_simplest_form(rows: int, window: RowWindow, text: str) -> None:
    assert rows_asked(call_with(rows, window), window) == text


def test_the_rows_that_are_asked_for_are_those_that_are_read(tmp_path: Path) -> None:
    """Of windows with any padding, also such as lie in it, computed by the C."""
    random, statements, expected = np.random.default_rng(0), [], []
    for _ in range(300):
        height, count, stride, dilation, pad, rows = (
            int(random.integers(low, high)) for low, high in ((1, 9), (1, 5), (0, 4), (1, 4), (0, 9), (1, 9))
        )
        window = RowWindow(height, 10, count, stride, dilation, pad, divisor=1 if count > 1 else 2)
        call = call_with(rows, window)
        spans = rows_read(window, rows)
        expected += [span[1] + 1 if span else 0 for span in spans]
        number = f"tinycc_clamp({rows_asked(call, window)}, 0, 99)"
        statements.append(f'for (int y = 0; y < {rows}; ++y) {{ printf("%d ", (int){number}); }}')
    body = "\n".join(statements)
    source = f'#include <stdio.h>\n#include "shared/common.h"\nint main(void)\n{{\n{body}\nreturn 0;\n}}\n'
    (tmp_path / "asked.c").write_text(source, encoding="utf-8")
    kernels = Path(runtime_c.__file__).parent / "kernels"
    command = [host_compiler(), "-std=c99", f"-I{kernels}", "asked.c", "-o", "asked"]
    subprocess.run(command, cwd=tmp_path, check=True)
    output = subprocess.run(["./asked"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert [int(number) for number in output.split()] == expected
