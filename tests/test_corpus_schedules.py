"""Real models under every schedule: the bytes of whole tensors, in the memory that was promised.

By default one golden case of each model runs; TINYCC_SLOW=1 runs more of them, and all on the Cortex-M4.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tinycc
from benchmarks.memory import GOALS
from tests.conftest import CompileOnce
from tests.tools.corpus import (
    SLOW,
    as_in_file,
    every_other,
    golden_inputs,
    golden_outputs,
    load_arrays,
    read_table,
    stems,
)
from tinycc.errors import TinyccError, UnsupportedError
from tinycc.run import RunResult, run

MODELS = stems("tflite/int8/*.tflite")
SMALL_MACS = 3_000_000
SCHEDULES: dict[str, dict[str, str]] = {
    "stream": {"schedule": "stream"},
    "memory": {"optimize_for": "memory"},
    "memory, some computed again": {"optimize_for": "memory", "max_extra_macs": "50%"},
    "2x2 patches": {"schedule": "patch:2x2"},
    "3x3 patches": {"schedule": "patch:3x3"},
}

# Bytes of arena that are enough for the least memory without computing anything twice.
ARENAS = {goal.model: goal.most_bytes for goal in GOALS}
# Models that do not begin with operators that can be computed in patches.
WITHOUT_PATCHES = {
    "cfu_hps_2022_01_05_89ops",
    "cfu_magic_wand",
    "cfu_presence_20220117",
    "mlonmcu_micro_kws_m_quantized__micro_kws_m_quantized",
    "mlonmcu_micro_speech_custom__micro_speech_custom",
    "mlonmcu_qnn_model__qnn_model",
    "mlperf_ad_ae_int8",
    "mlperf_sww_int8",
    "mltk_keyword_spotting_on_off_v3",
    "tflm_hello_world_int8",
    "tflm_keyword_scrambled",
    "tflm_keyword_scrambled_8bit",
    "tflm_micro_speech_int8",
    "tflm_mnist_lstm_int8",
    "tflm_simple_add",
}
STACK_BYTES = 1024
IN_32_KILOBYTES = (
    "mlperf_ad_ae_int8", "mlperf_kws_dscnn_int8", "mlperf_ic_resnet8_int8", "mlperf_vww_mbv1_int8",
    "tflm_person_detect", "te_vww",
)  # fmt: skip


def check(
    corpus: Path, name: str, compile_once: CompileOnce, on: str, options: dict[str, Any], **how: Any
) -> RunResult:
    """Run golden cases of a model compiled with `options`; every byte equals the golden output's."""
    compiled = compile_once(corpus / "tflite" / "int8" / f"{name}.tflite", **options)
    golden = load_arrays(corpus / "golden" / f"{name}.npz")
    cases = [0, 5] if SLOW else [0]
    result = run(compiled.folder, on, golden_inputs(golden, compiled.report, cases), **how)
    assert result.warnings == ""
    for index, (output, edge) in enumerate(zip(result.outputs, compiled.report["outputs"], strict=True)):
        expected = golden_outputs(golden, index, cases)
        actual = as_in_file(output, edge)
        np.testing.assert_array_equal(actual, expected.reshape(actual.shape), f"output {index}")
    return result


def refusal_of_patches(name: str, schedule: str) -> AbstractContextManager[object]:
    """Expects patches of a model that cannot have them to be refused, and nothing else."""
    if schedule.endswith("patches") and name in WITHOUT_PATCHES:
        return pytest.raises(UnsupportedError, match="patches: the first operators cannot run in parts")
    return nullcontext()


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", every_other(MODELS))
def test_every_schedule_on_the_host(
    name: str, schedule: str, corpus: Path, compile_once: CompileOnce
) -> None:
    """Under sanitizers, with guard zones around the arena, where a model is small."""
    small = read_table(corpus)[name].macs < SMALL_MACS
    if not small and not SLOW and schedule != "memory":
        pytest.skip("not a small model; TINYCC_SLOW=1 runs it under every schedule")
    with refusal_of_patches(name, schedule):
        check(corpus, name, compile_once, "host", SCHEDULES[schedule], sanitize=small or SLOW)


@pytest.mark.emulator
@pytest.mark.parametrize("schedule", SCHEDULES if SLOW else ("memory", "2x2 patches"))
@pytest.mark.parametrize("name", MODELS if SLOW else ("mlperf_ic_resnet8_int8", "mlperf_kws_dscnn_int8"))
def test_every_schedule_on_a_cortex_m4(
    name: str, schedule: str, corpus: Path, compile_once: CompileOnce, require_tool: Callable[[str], str]
) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    with refusal_of_patches(name, schedule):
        check(corpus, name, compile_once, "cortex-m4", SCHEDULES[schedule])


@pytest.mark.emulator
@pytest.mark.parametrize("name", sorted(set(ARENAS) & set(MODELS)))
def test_the_least_memory_is_as_little_as_promised(
    name: str, corpus: Path, compile_once: CompileOnce, require_tool: Callable[[str], str]
) -> None:
    """On the board the model's RAM is the arena and alignment; its stack is small."""
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    report = compile_once(
        corpus / "tflite" / "int8" / f"{name}.tflite", **SCHEDULES["memory"], target="cortex-m4"
    ).report
    assert report["arena_bytes"] <= ARENAS[name]
    assert report["extra_macs"] == 0
    assert report["optimal"]
    options = {**SCHEDULES["memory"], "target": "cortex-m4"}
    result = check(corpus, name, compile_once, "cortex-m4", options)
    assert result.ram_bytes <= report["arena_bytes"] + 16
    assert result.stack_bytes is not None and result.stack_bytes < STACK_BYTES


@pytest.mark.emulator
@pytest.mark.parametrize("name", sorted(set(IN_32_KILOBYTES) & set(MODELS)))
def test_parts_with_32_kilobytes_are_enough(
    name: str, corpus: Path, compile_once: CompileOnce, require_tool: Callable[[str], str]
) -> None:
    """The linker script has no more memory than that, and the stack is in it."""
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    result = check(corpus, name, compile_once, "cortex-m4", {"sram": "32K"})
    assert result.stack_bytes is not None
    assert result.ram_bytes + result.stack_bytes <= 32 * 1024


REFUSED = {
    "mlperf_ic_resnet8_int8, patch:64x64": (
        {"schedule": "patch:64x64"}, ("at most", "possible"),
    ),
    "mlperf_ic_resnet8_int8, patch:2x2@99": (
        {"schedule": "patch:2x2@99"}, ("99", "possible are"),
    ),
    "mlperf_ic_resnet8_int8, 4K": (
        {"sram": "4K"}, ("at least", "peak"),
    ),
    "mlperf_ad_ae_int8, patch:2x2": (
        {"schedule": "patch:2x2"}, ("patch", "cannot run in parts"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_impossible_says_what_is_possible(case: str, corpus: Path) -> None:
    options, words = REFUSED[case]
    path = corpus / "tflite" / "int8" / f"{case.split(',')[0]}.tflite"
    with pytest.raises(TinyccError) as caught:
        tinycc.compile(path, **options)
    assert all(word in str(caught.value) for word in words), caught.value
