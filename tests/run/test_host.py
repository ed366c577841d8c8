"""The hand-written model on the host; conversion of arrays; errors."""

from pathlib import Path

import numpy as np
import pytest

from tests.run.conftest import WriteModel
from tinycc.errors import InputDataError, OutputError, ToolError, UnsupportedError
from tinycc.run import run, run_host

CASES = np.arange(36, dtype=np.int8).reshape(3, 2, 2, 3) + np.int8(100)


def plus_one(values: np.ndarray) -> np.ndarray:
    return np.minimum(values.astype(np.int32) + 1, 127).astype(np.int8)


@pytest.mark.parametrize("sanitize", [False, True])
def test_outputs_and_layers(sanitize: bool, write_model: WriteModel) -> None:
    folder = write_model()
    before = sorted(folder.iterdir())
    result = run_host(folder, [CASES], sanitize=sanitize, trace=True)
    np.testing.assert_array_equal(result.outputs[0], plus_one(CASES))
    assert result.layers is not None and len(result.layers) == 3
    np.testing.assert_array_equal(result.layers[1][0][0], plus_one(CASES)[1])
    assert result.instructions is None and "instructions" not in result.to_json()
    assert result.warnings == ""
    assert sanitize or result.ram_bytes == 64  # the sanitizers add data of their own
    assert sorted(folder.iterdir()) == before


def test_outputs_have_a_batch_axis_where_inputs_do(write_model: WriteModel) -> None:
    result = run_host(write_model(), [CASES[:, None]])
    np.testing.assert_array_equal(result.outputs[0], plus_one(CASES)[:, None])
    assert run_host(write_model()).outputs[0].shape == (1, 1, 2, 2, 3)


def test_random_inputs_are_the_same_each_time(write_model: WriteModel) -> None:
    folder = write_model()
    first, second = run(folder), run(folder)
    np.testing.assert_array_equal(first.outputs[0], second.outputs[0])
    assert first.inputs_text == "random, seed 20" and first.cases == 1


def test_uint8_files_are_shifted_and_shifted_back(write_model: WriteModel) -> None:
    cases = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3) + np.uint8(240)
    result = run_host(write_model(edge={"file_dtype": "uint8"}), [cases])
    expected = np.minimum(cases.astype(np.int32) + 1, 255).astype(np.uint8)
    np.testing.assert_array_equal(result.outputs[0], expected)


def test_floats_are_quantized_half_away_from_zero(write_model: WriteModel) -> None:
    cases = np.zeros((1, 2, 2, 3), np.float32)
    cases.flat[:6] = [0.25, -0.25, 0.24, 1.0, 1000.0, -1000.0]
    result = run_host(write_model(edge={"file_dtype": "float32"}), [cases])
    assert result.outputs[0].dtype == np.int8
    assert result.outputs[0].flat[:6].tolist() == [-2 + 1, -4 + 1, -3 + 1, -1 + 1, 127, -128 + 1]


def test_layouts_are_permuted_and_permuted_back(write_model: WriteModel) -> None:
    edge = {"file_shape": [1, 3, 2, 2], "permutation": [0, 2, 3, 1]}
    cases = np.arange(12, dtype=np.int8).reshape(1, 3, 2, 2)
    traced = run_host(write_model(edge=edge), [cases], trace=True)
    np.testing.assert_array_equal(traced.outputs[0], cases + 1)
    assert traced.layers is not None
    np.testing.assert_array_equal(traced.layers[0][0], (cases + 1).transpose(0, 2, 3, 1))


def test_wrong_inputs_are_refused(write_model: WriteModel) -> None:
    folder = write_model()
    with pytest.raises(InputDataError, match=r"in0 \(x\) has shape \[1, 2, 3\]: expected \[cases, 2, 2, 3\]"):
        run_host(folder, [CASES[0, :1]])
    with pytest.raises(InputDataError, match="2 arrays were given"):
        run_host(folder, [CASES, CASES])
    with pytest.raises(InputDataError, match="is int32: expected int8 or float32"):
        run_host(folder, [CASES.astype(np.int32)])
    with pytest.raises(InputDataError, match="no cases"):
        run_host(folder, [CASES[:0]])
    with pytest.raises(InputDataError, match="NaN"):
        run_host(folder, [np.full((1, 2, 2, 3), np.nan, np.float32)])


@pytest.mark.parametrize("sanitize", [False, True])
def test_a_write_beside_the_arena_is_found(sanitize: bool, write_model: WriteModel) -> None:
    # Within the allocation around the arena, where the address sanitizer sees nothing wrong.
    folder = write_model("((volatile int8_t *)a)[MODEL_ARENA_BYTES + 5] = 1;")
    with pytest.raises(ToolError, match="outside its arena"):
        run_host(folder, [CASES], sanitize=sanitize)


def test_undefined_behaviour_is_found(write_model: WriteModel) -> None:
    folder = write_model("volatile int32_t big = INT32_MAX; big = big + 1;")
    with pytest.raises(ToolError, match="signed integer overflow"):
        run_host(folder, [CASES], sanitize=True)


def test_a_program_that_does_not_compile_is_told(write_model: WriteModel) -> None:
    with pytest.raises(ToolError, match=r"compiling model.c failed: .*error"):
        run_host(write_model("nonsense;"), [CASES])


def test_a_report_that_does_not_fit_the_header_is_told(write_model: WriteModel) -> None:
    folder = write_model(edge={"shape": [1, 2, 2, 2], "file_shape": [1, 2, 2, 2], "bytes": 8})
    with pytest.raises(ToolError, match="compile the model again"):
        run_host(folder)


def test_a_missing_compiler_is_named(write_model: WriteModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.delenv("CC", raising=False)
    with pytest.raises(ToolError, match="apt install gcc"):
        run_host(write_model(), [CASES])


def test_other_folders_and_targets_are_refused(tmp_path: Path, write_model: WriteModel) -> None:
    with pytest.raises(OutputError, match="not a folder made by"):
        run(tmp_path)
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(OutputError, match="not a folder made by"):
        run(tmp_path)
    with pytest.raises(UnsupportedError, match="choose one of host, cortex-m0"):
        run(write_model(), "cortex-m99")
