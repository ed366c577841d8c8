"""Inner loops, found in a disassembly with counts."""

import pytest

from benchmarks.loops import Instruction, inner_loops


def code(*lines: tuple[str, str, int | None, int]) -> list[Instruction]:
    """Instructions of two bytes from address 0: mnemonic, operands, target, how often executed."""
    return [Instruction(2 * index, *line) for index, line in enumerate(lines)]


def test_the_inner_of_two_loops_is_found_with_its_iterations() -> None:
    (loop,) = inner_loops(
        "f",
        code(
            ("movs", "r3, #4", None, 10),
            ("ldr", "r0, [r1], #4", None, 40),
            ("mla", "r2, r0, r0, r2", None, 40),
            ("bne", "0x2 <f+0x2>", 2, 40),
            ("bne", "0x0 <f>", 0, 10),
        ),
    )
    assert [item.mnemonic for item in loop.body] == ["ldr", "mla", "bne"]
    assert (loop.iterations, loop.instructions, loop.macs) == (40, 120, 1)


def test_what_few_iterations_execute_is_left_out() -> None:
    (loop,) = inner_loops(
        "f",
        code(
            ("subs", "r0, #1", None, 100),
            ("beq", "0x6 <f+0x6>", 6, 100),
            ("adds", "r1, #1", None, 3),
            ("bne", "0x0 <f>", 0, 100),
        ),
    )
    assert [item.mnemonic for item in loop.body] == ["subs", "beq", "bne"]


def test_loops_that_were_not_executed_do_not_count() -> None:
    assert inner_loops("f", code(("nop", "", None, 0), ("b", "0x0 <f>", 0, 0))) == []


def test_a_loop_that_calls_a_function_is_none() -> None:
    lines = (("bl", "0x80 <g>", None, 5), ("bne", "0x0 <f>", 0, 5))
    assert inner_loops("f", code(*lines)) == []


def test_branches_out_of_the_loop_go_to_its_end_in_the_assembly() -> None:
    (loop,) = inner_loops(
        "f",
        code(
            ("cbz", "r0, 0x20 <f+0x20>", 0x20, 9),
            ("subs.w", "r0, r0, #1", None, 9),
            ("b", "0x0 <f>", 0, 9),
        ),
    )
    assert loop.assembly().splitlines() == [
        ".syntax unified",
        ".thumb",
        ".L0: cbz r0, .Lend",
        ".L2: subs r0, r0, #1",
        ".L4: b .L0",
        ".Lend:",
    ]


@pytest.mark.parametrize(
    ("mnemonic", "macs"),
    [
        ("smlad", 2),
        ("smladx", 2),
        ("smlald", 2),
        ("smuad", 2),
        ("mla", 1),
        ("smlabb", 1),
        ("smultt", 1),
        ("vmlava.s8", 16),
        ("vmladavax.s16", 8),
        ("vmla.i32", 0),
        ("mul", 0),
        ("smlal", 0),
        ("smull", 0),
        ("vqrdmulh.s32", 0),
        ("ldr", 0),
    ],
)
def test_multiply_accumulates_of_an_instruction(mnemonic: str, macs: int) -> None:
    assert Instruction(0, mnemonic, "", None, 1).macs == macs
