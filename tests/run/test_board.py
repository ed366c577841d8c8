"""The hand-written model on every emulated core."""

import os
import shutil

import numpy as np
import pytest

from tests.run.conftest import WriteModel
from tinycc.errors import BudgetError, ToolError
from tinycc.run import run_board
from tinycc.target import TARGETS

CORES = [name for name, target in TARGETS.items() if target.boards]
CASES = np.arange(36, dtype=np.int8).reshape(3, 2, 2, 3) + np.int8(100)

# A loop of exactly 2 instructions a pass on Thumb and RISC-V, inside an otherwise equal program.
ARM_LOOP = (
    "uint32_t n = {count}u;"
    ' __asm volatile(".syntax unified\\n1: subs %0, #1\\n\\tbne 1b" : "+l"(n) : : "cc");'
)
RISCV_LOOP = 'uint32_t n = {count}u; __asm volatile("1: addi %0, %0, -1\\n\\tbnez %0, 1b" : "+r"(n));'


def loop(core: str, count: int) -> str:
    return (RISCV_LOOP if core.startswith("rv32") else ARM_LOOP).format(count=count)


def need(core: str) -> None:
    target = TARGETS[core]
    for tool in (f"{target.compiler}gcc", *(board.emulator for board in target.boards)):
        if shutil.which(tool) is None and os.environ.get("TINYCC_REQUIRE_EMULATORS") != "1":
            pytest.skip(f"{tool} is not installed")


@pytest.mark.parametrize("core", CORES)
def test_outputs_costs_and_layers(core: str, write_model: WriteModel) -> None:
    need(core)
    result = run_board(write_model(), [CASES], core, trace=True, profile=True)
    expected = np.minimum(CASES.astype(np.int32) + 1, 127).astype(np.int8)
    np.testing.assert_array_equal(result.outputs[0], expected)
    assert result.cases == 3 and result.layers is not None and len(result.layers) == 3
    for case, layers in enumerate(result.layers):
        assert len(layers) == 2
        np.testing.assert_array_equal(layers[0][0], expected[case])
        np.testing.assert_array_equal(layers[1][0], expected[case])
    assert result.instructions is not None and 50 < result.instructions < 1000
    assert result.operator_instructions is not None
    assert all(20 < count < result.instructions for count in result.operator_instructions)
    assert result.ram_bytes == 64
    assert result.const_bytes >= 4 and 40 < result.code_bytes < 2000
    assert result.flash_bytes == result.code_bytes + result.const_bytes
    assert result.stack_bytes is not None and result.stack_bytes < 200
    assert result.warnings == ""


@pytest.mark.parametrize("core", CORES)
def test_a_loop_of_known_length_is_counted(core: str, write_model: WriteModel) -> None:
    need(core)
    counts = {}
    for passes in (1_000, 101_000, 1_001_000):
        counts[passes] = run_board(write_model(loop(core, passes)), [CASES[:1]], core).instructions
    short = counts[1_000]
    assert short is not None
    # RISC-V counts exactly, but loads a larger constant with one instruction more. The timers of the
    # Cortex-M boards resolve one pass of a loop of at most eight instructions at either end.
    tolerance = 1 if core.startswith("rv32") else 8
    for passes, count in counts.items():
        assert count is not None
        assert abs((count - short) - 2 * (passes - 1_000)) <= tolerance
    again = run_board(write_model(loop(core, 101_000)), [CASES[:1]], core).instructions
    assert again == counts[101_000]


@pytest.mark.parametrize("core", CORES)
def test_stack_is_measured(core: str, write_model: WriteModel) -> None:
    need(core)
    shallow = run_board(write_model(), [CASES[:1]], core).stack_bytes
    deep_code = "volatile int8_t deep[800]; deep[0] = 1; deep[799] = 2; (void)deep;"
    deep = run_board(write_model(deep_code), [CASES[:1]], core).stack_bytes
    assert shallow is not None and deep is not None
    assert 790 <= deep - shallow <= 840


@pytest.mark.parametrize("core", CORES)
def test_a_fault_is_reported(core: str, write_model: WriteModel) -> None:
    need(core)
    trap = "__builtin_trap();" if core != "rv32imc" else '__asm volatile(".word 0");'
    with pytest.raises(ToolError, match="fault"):
        run_board(write_model(trap), [CASES[:1]], core)


@pytest.mark.parametrize("core", CORES)
def test_too_much_memory_fails_the_link(core: str, write_model: WriteModel) -> None:
    need(core)
    with pytest.raises(BudgetError, match=r"region 'SRAM' overflowed by \d+ bytes"):
        run_board(write_model(arena=8 << 20), [CASES[:1]], core)
    with pytest.raises(BudgetError, match=r"region 'SRAM' overflowed by \d+ bytes"):
        run_board(write_model(arena=8192, report={"sram_bytes": 4096}), [CASES[:1]], core)


def test_a_stack_comes_on_top_of_the_budget(write_model: WriteModel) -> None:
    need("cortex-m4")
    result = run_board(write_model(arena=4096, report={"sram_bytes": 4096}), [CASES[:1]], "cortex-m4")
    assert result.ram_bytes == 4096 and result.stack_bytes


def test_a_stack_that_runs_into_the_data_is_found(write_model: WriteModel) -> None:
    need("cortex-m4")
    deep = "volatile int8_t deep[5000]; for (int i = 0; i < 5000; ++i) deep[i] = 1;"
    with pytest.raises(BudgetError, match="stack ran into"):
        run_board(write_model(deep, arena=4096, report={"sram_bytes": 4096}), [CASES[:1]], "cortex-m4")


def test_microbit_runs_an_arena_of_15_kilobytes_and_hands_larger_ones_on(write_model: WriteModel) -> None:
    need("cortex-m0")
    small = run_board(write_model(arena=15 * 1024), [CASES], "cortex-m0")
    assert small.board.startswith("microbit") and small.ram_bytes == 15 * 1024
    large = run_board(write_model(arena=32 * 1024), [CASES], "cortex-m0")
    assert large.board.startswith("mps2-an385") and "does not fit microbit" in large.board
    np.testing.assert_array_equal(small.outputs[0], large.outputs[0])


def test_a_missing_compiler_is_named(write_model: WriteModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ToolError, match="apt install qemu-system-arm"):
        run_board(write_model(), [CASES], "cortex-m4")
