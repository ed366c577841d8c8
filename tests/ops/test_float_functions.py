"""Functions of float32 without libm have the errors that their header says, and the right ends."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from tinycc import runtime_c
from tinycc.run.toolchain import host_compiler

_PROGRAM = """
#include <stdio.h>
#include "float_functions.h"

int main(void)
{
    float x[2];
    while (fread(x, sizeof(float), 1, stdin) == 1) {
        const float root = x[0] > 0.0f ? tinycc_reciprocal_root(x[0]) : 0.0f;
        const float results[] = {tinycc_exp(x[0]), tinycc_tanh(x[0]), tinycc_sigmoid(x[0]), root};
        fwrite(results, sizeof(results), 1, stdout);
    }
    return 0;
}
"""
LEAST = float(np.finfo(np.float32).tiny)


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray]:
    """float32 of all exponents, most of them where functions are steep, and what each function gives."""
    folder = tmp_path_factory.mktemp("functions")
    (folder / "main.c").write_text(_PROGRAM, encoding="utf-8")
    shared = Path(runtime_c.__file__).parent / "kernels" / "shared"
    command = [host_compiler(), "-std=c99", "-O2", f"-I{shared}", "main.c", "-o", "program"]
    subprocess.run(command, cwd=folder, check=True)
    every = (np.arange(0, 2**32, 8191, dtype=np.uint64)).astype(np.uint32).view(np.float32)
    x = np.concatenate([every[np.isfinite(every)], np.linspace(-90, 90, 300_001, dtype=np.float32)])
    x = np.concatenate([x, np.array([0.0, np.inf, -np.inf, np.nan, 88.722839, 88.722847], np.float32)])
    done = subprocess.run([folder / "program"], input=x.tobytes(), capture_output=True, check=True)
    return x, np.frombuffer(done.stdout, np.float32).reshape(-1, 4)


def errors(results: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Relative errors where the exact number is a normal float32."""
    size = np.abs(exact)
    normal = np.isfinite(exact) & (size > LEAST) & (size < np.finfo(np.float32).max)
    return np.abs(results[normal] - exact[normal]) / size[normal]


@pytest.mark.parametrize(
    ("column", "bound"),
    [(0, 9e-8), (1, 1.5e-7), (2, 1.8e-7), (3, 2.4e-7)],
    ids=["exp", "tanh", "sigmoid", "root"],
)
def test_errors(computed: tuple[np.ndarray, np.ndarray], column: int, bound: float) -> None:
    x, results = computed
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        exact = [np.exp(wide), np.tanh(wide), 1 / (1 + np.exp(-wide)), 1 / np.sqrt(wide)][column]
    exact = np.where(wide > LEAST, exact, np.nan) if column == 3 else exact
    assert errors(results[:, column].astype(np.float64), exact).max() <= bound


def test_ends(computed: tuple[np.ndarray, np.ndarray]) -> None:
    x, results = computed
    exponential, tangent, sigmoid = (results[:, column] for column in range(3))
    assert exponential[x == np.inf] == np.inf and exponential[x == -np.inf] == 0.0
    assert np.isinf(exponential[x > 88.7229]).all() and np.isfinite(exponential[x <= 88.7228]).all()
    assert (tangent[x > 20] == 1.0).all() and (tangent[x < -20] == -1.0).all()
    assert (sigmoid[x > 20] == 1.0).all() and (sigmoid[x < -104] == 0.0).all()
    assert np.isnan(results[np.isnan(x), :3]).all()
    # Denormal results may be 0.
    assert np.abs(exponential[x < -87.34]).max() <= LEAST
