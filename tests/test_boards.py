"""Well-known models on every emulated core: the same bytes as on the host, and what fits which part."""

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import CompileOnce
from tests.tools.corpus import golden_inputs, load_arrays
from tinycc.run import RunResult, run
from tinycc.target import TARGETS

CORES = [name for name, target in TARGETS.items() if target.boards]
MODELS = (
    "mlperf_ad_ae_int8",
    "mlperf_ic_resnet8_int8",
    "mlperf_kws_dscnn_int8",
    "mlperf_vww_mbv1_int8",
    "te_vww",
    "tflm_person_detect",
)
MICROBIT_SRAM_BYTES = 16 * 1024

pytestmark = pytest.mark.emulator


@pytest.fixture(scope="session")
def run_golden(corpus: Path, compile_once: CompileOnce) -> Callable[..., RunResult]:
    """Runs golden case 0 of a corpus model on a core, compiled with the options given."""

    def run_model(name: str, on: str, **options: str) -> RunResult:
        compiled = compile_once(corpus / "tflite" / "int8" / f"{name}.tflite", **options)
        golden = load_arrays(corpus / "golden" / f"{name}.npz")
        return run(compiled.folder, on, golden_inputs(golden, compiled.report, [0]))

    return run_model


@pytest.fixture(scope="session")
def on_host(run_golden: Callable[..., RunResult]) -> Callable[[str], RunResult]:
    """The run of a model on the host, once in a session."""
    return functools.cache(functools.partial(run_golden, on="host"))


@pytest.mark.parametrize("core", CORES)
@pytest.mark.parametrize("name", MODELS)
def test_every_core_gives_the_bytes_of_the_host(
    name: str,
    core: str,
    run_golden: Callable[..., RunResult],
    on_host: Callable[[str], RunResult],
    require_core: Callable[[str], None],
) -> None:
    require_core(core)
    host, board = on_host(name), run_golden(name, core)
    assert board.warnings == ""
    for expected, actual in zip(host.outputs, board.outputs, strict=True):
        assert actual.dtype == expected.dtype
        np.testing.assert_array_equal(actual, expected)
    assert board.instructions is not None and board.stack_bytes is not None
    assert board.flash_bytes == board.code_bytes + board.const_bytes


def test_te_vww_fits_a_part_of_256_kilobytes(
    run_golden: Callable[..., RunResult], require_core: Callable[[str], None]
) -> None:
    """With the stack, which the budget leaves room for as well."""
    require_core("cortex-m4")
    result = run_golden("te_vww", "cortex-m4", sram="256K", flash="1M")
    assert result.stack_bytes is not None
    assert result.ram_bytes + result.stack_bytes <= 256 * 1024
    assert result.flash_bytes <= 1024 * 1024


def test_keyword_spotting_fits_a_board_of_16_kilobytes(
    run_golden: Callable[..., RunResult], require_core: Callable[[str], None]
) -> None:
    require_core("cortex-m0")
    result = run_golden("mlperf_kws_dscnn_int8", "cortex-m0")
    assert result.board.startswith("microbit")
    assert result.stack_bytes is not None
    assert result.ram_bytes + result.stack_bytes <= MICROBIT_SRAM_BYTES


def test_a_model_too_large_for_the_first_board_says_by_how_much(
    run_golden: Callable[..., RunResult], require_core: Callable[[str], None]
) -> None:
    require_core("cortex-m0")
    result = run_golden("mlperf_ic_resnet8_int8", "cortex-m0")
    assert "does not fit microbit" in result.board and "overflowed by" in result.board
    assert result.board.startswith("mps2")


def test_without_cross_compilers_the_host_still_runs(
    run_golden: Callable[..., RunResult], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for tool in ("gcc", "cc", "as", "ld", "size"):
        path = shutil.which(tool)
        if path:
            (tmp_path / tool).symlink_to(path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_golden("mlperf_ad_ae_int8", "host").cases == 1
