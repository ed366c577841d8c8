"""The worked examples of docs/design.md: its numbers are those of kernels and compiler."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from tests.ops.test_streaming import chain
from tinycc import runtime_c
from tinycc.ops import dsp, helium
from tinycc.ops.dsp_layer import DspLayer, Storage

KERNELS = Path(runtime_c.__file__).parent / "kernels"

# 0.64 * 2**31: a scale of 0.08 is 0.64 / 2**3.
MULTIPLIER = 1374389535


def printed(header: str, statements: str, folder: Path, require_tool: Callable[[str], str]) -> list[int]:
    """What C prints that includes a kernel."""
    include = next(KERNELS.rglob(header))
    source = folder / "example.c"
    source.write_text(
        f'#include "{include}"\n#include <stdio.h>\n'
        f'#define SHOW(value) printf("%ld\\n", (long)(value))\nint main(void) {{ {statements} return 0; }}\n',
        encoding="utf-8",
    )
    program = folder / "example"
    command = [require_tool("gcc"), "-std=c99", "-O1", str(source), "-o", str(program)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return [int(line) for line in subprocess.run([program], capture_output=True, text=True).stdout.split()]


def sums_of(weights: Sequence[int], bias: int = 0, exponent: int = 0) -> DspLayer:
    """One sum."""
    return DspLayer.of_sums(np.array([weights]), np.array([bias]), exponent)


def matrix_of(form: DspLayer, storage: Storage = "bytes") -> list[int]:
    """The words that a kernel reads of one sum: what it begins with, weights, multiplier."""
    return [int(word) for word in form.matrix(1, storage)[0, :, 0]]


def bias_by_parts(form: DspLayer, sizes: Sequence[int]) -> int:
    """The bias of one sum that is added up in parts of so many taps."""
    return int(form.parts_bias(sizes, 1)[0])


def test_two_weights_in_one_multiplication(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    statements = """
        const int8_t x[4] = {10, -7, 0, 0};
        const uint32_t stored = 256 * 3 - 2;
        uint32_t widened[4];
        tinycc_dsp_widen(widened, x, 4);
        SHOW(stored); SHOW((int8_t)stored);
        SHOW((int16_t)widened[0]); SHOW((int16_t)widened[1]);
        const int32_t part = tinycc_dsp_mac(widened[0], stored, 0);
        SHOW(part); SHOW(tinycc_dsp_mac(widened[1], tinycc_dsp_even(stored), part));
    """
    found = printed("dsp_matrix.h", statements, tmp_path, require_tool)
    assert found == [766, -2, 10, -1675, 7660, 11010]
    assert found[-1] == 256 * (10 * 3 + -7 * -2) + 127 * -2
    assert hex(matrix_of(sums_of([3, -2, 1, 4]))[1]) == "0x10402fe"


def test_the_exponent_in_the_low_byte(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    begin, stored = matrix_of(sums_of([3, -2], bias=5, exponent=3))[0], dsp.stored_multiplier(MULTIPLIER)
    assert (begin, stored) == (1537, -1546188226)
    total = begin + 11010
    assert (total, total >> 8, total & 0xFF) == (12547, 49, 3)
    statements = f"""
        SHOW(tinycc_dsp_rescale({total} >> 8, {stored}, {total}, 0, 0));
        SHOW(tinycc_multiply_high(49, {MULTIPLIER})); SHOW(tinycc_multiply_high(-19, {MULTIPLIER}));
        SHOW(tinycc_dsp_rescale(-19, {stored}, 3, 0, 0));
    """
    assert printed("dsp.h", statements, tmp_path, require_tool) == [4, 31, -12, -2]


def test_wide_weights() -> None:
    words = matrix_of(sums_of([3, -2, 1, 4]), "wide")
    assert [hex(word) for word in words[1:3]] == ["0x10402fe", "0x4fffe"]


def test_weights_of_four_bits(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    weights = [3, -2, 1, 4, -8, 7, 0, -1]
    assert [weight + 8 for weight in weights] == [11, 6, 9, 12, 0, 15, 8, 7]
    begin, word, _ = matrix_of(sums_of(weights), "narrow")
    assert word & 0xFFFFFFFF == 0x897C0BF6
    assert (0x090C << 16, 0x0B06) == ((256 * 9 + 12) << 16, 256 * 11 + 6)
    statements = f"""
        const int8_t x[8] = {{10, -7}};
        const int32_t word[2] = {{{word}, 0}};
        uint32_t widened[8];
        tinycc_dsp_widen(widened, x, 8);
        SHOW(tinycc_dsp_weights(word, 0, TINYCC_DSP_NARROW));
        SHOW(tinycc_dsp_weights(word, 1, TINYCC_DSP_NARROW));
        const int32_t excess = tinycc_dsp_excess(widened, 2);
        int32_t sums[2] = {{{begin}, 0}};
        tinycc_dsp_dots_one(sums, widened, word, 2, TINYCC_DSP_NARROW);
        SHOW((sums[0] - 127 * 8 * 4) >> 8); SHOW((excess - 127 * 8 * 4) >> 8); SHOW((sums[0] - excess) >> 8);
    """
    found = printed("dsp_matrix.h", statements, tmp_path, require_tool)
    assert found == [0x090C0B06, 0x0807000F, 10 * 11 + -7 * 6, 8 * (10 - 7), 44]


def test_sums_of_channels(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    statements = """
        const int8_t pixels[8] = {1, -2, 3, 4, 2, -1, -6, 8};
        int8_t means[4];
        const int32_t reciprocal = tinycc_channel_reciprocal(2);
        tinycc_dsp_sums sums = tinycc_dsp_sums_with_pixels(tinycc_dsp_sums_none(), pixels, 4, 2, 4);
        SHOW(reciprocal);
        for (int32_t c = 0; c < 4; ++c) { SHOW(tinycc_dsp_sum(sums, c)); }
        SHOW(tinycc_dsp_divide(sums.even, 0, reciprocal)); SHOW(tinycc_dsp_divide(sums.odd, 0, reciprocal));
        tinycc_dsp_store_channels(means, tinycc_dsp_means(sums, reciprocal), 4);
        for (int32_t c = 0; c < 4; ++c) { SHOW(means[c]); }
    """
    found = printed("dsp_channels.h", statements, tmp_path, require_tool)
    assert found == [8388609, 3, -3, -3, 12, 512, -257, 2, -2, -2, 6]


def test_a_dense_layer_row_by_row() -> None:
    rows = [256 * 44 - 2 * 127, 256 * 14 + 5 * 127]
    assert [row >> 8 for row in rows] == [43, 16]
    assert bias_by_parts(sums_of([3, -2, 1, 5], bias=5), [2, 2]) == 4
    assert 4 + 43 + 16 == 5 + (10 * 3 + -7 * -2) + (4 * 1 + 2 * 5)


def test_lanes_of_helium() -> None:
    assert [group.tolist() for group in helium.matrix_groups(8)] == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert [group.tolist() for group in helium.channel_groups(16)] == [
        [0, 4, 8, 12], [2, 6, 10, 14], [1, 5, 9, 13], [3, 7, 11, 15]
    ]  # fmt: skip
    fields = {
        name: np.array([value] * 4) for name, value in (("bias", 100), ("shift", -3), ("multiplier", 7))
    }
    assert helium.pack_constants(fields, [np.arange(4)])[0] == 25853 == 256 * 100 + 0xFD


def test_weights_of_four_bits_of_helium() -> None:
    rows = np.array([[7], [-3]], np.int8)
    byte = helium.in_bytes(rows, 4)
    assert byte.view(np.uint8).tolist() == [[0xD7]]
    assert (byte << 4).tolist() == [[16 * 7]]
    assert (byte >> 4).tolist() == [[-3]]


def test_a_stage_and_its_ring() -> None:
    stream = chain(6, (3, 1, 1), (3, 1, 1))
    names = [f"{'AB'[member]}{row}" for member, row in zip(stream.order, stream.row_of, strict=True)]
    assert " ".join(names) == "A0 A1 B0 A2 B1 A3 B2 A4 B3 A5 B4 B5"
    assert stream.ring_rows(1) == 3
    assert [(access.first, access.last) for access in stream.reads[names.index("B3")]] == [(2, 4)]
    reads = [10 * accesses[0].first if accesses[0].tensor == 0 else 1 << 40 for accesses in stream.reads]
    assert stream.overlap_distance(60, 10, [reads], [(0, 10)]) == 0
