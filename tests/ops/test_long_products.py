"""Products of cores without a long multiplication, compiled for the host, against 64-bit arithmetic."""

import subprocess
from pathlib import Path

from tinycc.codegen.folder import KERNELS
from tinycc.run.host import SANITIZERS
from tinycc.run.toolchain import WARNINGS, host_compiler

_PROGRAM = r"""
#include "shared/exponential.h"

static const int32_t corners[] = {INT32_MIN, INT32_MIN + 1, -65537, -65536, -65535, -32769, -32768, -1,
                                  0, 1, 32767, 32768, 65535, 65536, 1 << 30, INT32_MAX - 1, INT32_MAX};
enum { CORNERS = sizeof(corners) / sizeof(*corners) };

static int is_right(int32_t a, int32_t b)
{
    const int64_t product = (int64_t)a * b;
    const int64_t doubled = (product + (INT64_C(1) << 30)) >> 31;
    const int64_t high = (product + (INT64_C(1) << 31)) >> 32;
    return tinycc_multiply_high(a, b) == (doubled > INT32_MAX ? INT32_MAX : doubled)
        && tinycc_round_high(a, b) == high;
}

int main(void)
{
    uint64_t state = 1;
    int wrong = 0;
    for (int i = 0; i < CORNERS; ++i) {
        for (int j = 0; j < CORNERS; ++j) {
            wrong += !is_right(corners[i], corners[j]);
        }
    }
    for (int i = 0; i < 1000000; ++i) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const int32_t a = (int32_t)(state >> 33) - (1 << 30);
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        wrong += !is_right(a * 2, ((int32_t)(state >> 33) - (1 << 30)) * 2 + i % 2);
    }
    return wrong != 0;
}
"""


def test_products_of_halves(tmp_path: Path) -> None:
    source, program = tmp_path / "products.c", tmp_path / "products"
    source.write_text(_PROGRAM, encoding="utf-8")
    options = ["-std=c99", *WARNINGS, "-Werror", *SANITIZERS, "-D__ARM_ARCH_ISA_THUMB=1", f"-I{KERNELS}"]
    subprocess.run([host_compiler(), *options, str(source), "-o", str(program)], check=True)
    subprocess.run([str(program)], check=True, env={"ASAN_OPTIONS": "detect_leaks=0"})
