"""Functions of float32 without libm have the errors that their header says, and the right ends."""

import math
import subprocess
from collections.abc import Callable
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
        const float results[] = {
            tinycc_exp(x[0]), tinycc_tanh(x[0]), tinycc_sigmoid(x[0]), root,
            tinycc_root(x[0]), tinycc_log(x[0]), tinycc_log_of_more(x[0]), tinycc_erf(x[0]),
            tinycc_truncate(x[0]), tinycc_floor(x[0]), tinycc_round(x[0])};
        fwrite(results, sizeof(results), 1, stdout);
    }
    return 0;
}
"""
LEAST = float(np.finfo(np.float32).tiny)
NAMES = (
    "exp", "tanh", "sigmoid", "reciprocal_root", "root", "log", "log_of_more", "erf",
    "truncate", "floor", "round",
)  # fmt: skip
BOUNDS = {
    "exp": 9e-8, "tanh": 1.5e-7, "sigmoid": 1.8e-7, "reciprocal_root": 2.4e-7, "root": 9e-8, "log": 8e-8,
    "log_of_more": 1.7e-7, "erf": 1.1e-7, "truncate": 0.0, "floor": 0.0, "round": 0.0,
}  # fmt: skip
# In double; NaN where nothing is said of a function.
EXACT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "exp": np.exp,
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "reciprocal_root": lambda x: np.where(x > LEAST, 1 / np.sqrt(x), np.nan),
    "root": np.sqrt,
    "log": np.log,
    "log_of_more": lambda x: np.where((x >= 0) & (x <= 1), np.log1p(x), np.nan),
    "erf": np.vectorize(math.erf),
    "truncate": np.trunc,
    "floor": np.floor,
    "round": np.rint,
}


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
    ends = [0.0, np.inf, -np.inf, np.nan, 88.722839, 88.722847, 0.5, 1.5, -2.5, 8388607.5, 1e-45]
    x = np.concatenate([x, np.array(ends, np.float32)])
    done = subprocess.run([folder / "program"], input=x.tobytes(), capture_output=True, check=True)
    return x, np.frombuffer(done.stdout, np.float32).reshape(-1, len(NAMES))


def errors(results: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Relative errors where the exact number is a normal float32."""
    size = np.abs(exact)
    normal = np.isfinite(exact) & (size > LEAST) & (size < np.finfo(np.float32).max)
    return np.abs(results[normal] - exact[normal]) / size[normal]


@pytest.mark.parametrize("name", NAMES)
def test_errors(name: str, computed: tuple[np.ndarray, np.ndarray]) -> None:
    x, results = computed
    with np.errstate(all="ignore"):
        exact = EXACT[name](x.astype(np.float64))
    assert errors(results[:, NAMES.index(name)].astype(np.float64), exact).max() <= BOUNDS[name]


@pytest.mark.parametrize("name", ["root", "log", "erf", "truncate", "floor", "round"])
def test_infinities_and_nan_are_those_of_double(name: str, computed: tuple[np.ndarray, np.ndarray]) -> None:
    x, results = computed
    with np.errstate(all="ignore"):
        exact, result = EXACT[name](x.astype(np.float64)), results[:, NAMES.index(name)]
    np.testing.assert_array_equal(np.isnan(result), np.isnan(exact))
    np.testing.assert_array_equal(result[np.isinf(exact)], exact[np.isinf(exact)])


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
