"""The pipeline can be printed, extended and reordered."""

from pathlib import Path

import pytest
import tvm

import tinycc
from tinycc.passes.pipeline import default_passes, default_pipeline

DATA = Path(__file__).parents[1] / "data"


def test_the_passes_have_names() -> None:
    names = [item.info.name for item in default_passes()]
    assert names[-4:] == ["RewriteInPlace", "OrderStates", "OrderOperators", "ScheduleStages"]
    assert "tinycc" in str(default_pipeline().info)


def test_float_edges_keep_their_quantization() -> None:
    names = [item.info.name for item in default_passes("float")]
    assert "DropEdgeQuantization" not in names and "DropEdgeQuantization" in str(default_passes("int8"))


def test_a_pass_of_the_users_own_runs_where_it_is_put(tmp_path: Path) -> None:
    seen = []

    @tvm.transform.module_pass(opt_level=0, name="Spy")
    class Spy:
        def transform_module(self, module: tvm.IRModule, _context: tvm.transform.PassContext) -> tvm.IRModule:
            seen.append(len(module.functions))
            return module

    passes = [Spy(), *default_passes(), Spy()]
    model = tinycc.compile(DATA / "mobile_int8.tflite", passes=passes)
    assert seen[0] == 1 < seen[1]
    assert [record["name"] for record in model.report["passes"]].count("Spy") == 2


@pytest.mark.parametrize("left_out", ["RewriteInPlace", "OrderOperators", "ScheduleStages"])
def test_optional_passes_may_be_left_out(left_out: str) -> None:
    passes = [item for item in default_passes() if item.info.name != left_out]
    whole = tinycc.compile(DATA / "mobile_int8.tflite").report["arena_bytes"]
    assert tinycc.compile(DATA / "mobile_int8.tflite", passes=passes).report["arena_bytes"] >= whole
