"""The slope of a table is the mean one of its real function over what is rounded to each integer."""

import numpy as np

from tinycc.ops.lookup_table import HARD_SWISH, INT8_VALUES
from tinycc.ops.table_slopes import mean_slopes, tree_slopes
from tinycc.ops.tensor import Tensor

SOURCE = Tensor((1,), "int8", 0.05, 10)
OUTPUT = Tensor((1,), "int8", 0.1, -128)
REAL = (INT8_VALUES - SOURCE.zero_point) * 0.05


def test_smooth_functions() -> None:
    sigmoid = 1 / (1 + np.exp(-REAL))
    slopes = tree_slopes(("sigmoid", "x"), SOURCE, OUTPUT)
    assert slopes.dtype == np.float32
    assert np.allclose(slopes, sigmoid * (1 - sigmoid) * 0.05 / 0.1, rtol=1e-3, atol=1e-5)


def test_kinks_have_the_mean_of_both_sides() -> None:
    slopes = tree_slopes(("nn.relu", "x"), SOURCE, OUTPUT)
    assert np.allclose(slopes, 0.5 * np.heaviside(REAL, 0.5), atol=1e-5)


def test_composed_functions() -> None:
    expected = np.select([REAL <= -3, REAL >= 3], [0.0, 1.0], (2 * REAL + 3) / 6) * 0.5
    inside = np.abs(np.abs(REAL) - 3) > 0.05
    slopes = tree_slopes(HARD_SWISH, SOURCE, OUTPUT)
    assert np.allclose(slopes[inside], expected[inside], atol=1e-4)


def test_without_a_value_there_is_no_slope() -> None:
    slopes = tree_slopes(("log", "x"), SOURCE, OUTPUT)
    assert np.isfinite(slopes).all()
    assert not slopes[REAL < -0.05].any()


def test_functions_of_integers() -> None:
    slopes = mean_slopes(lambda values: np.clip(values, -100, 20))
    assert np.array_equal(
        slopes, np.select([abs(INT8_VALUES + 40) < 60, abs(INT8_VALUES + 40) == 60], [1, 0.5], 0)
    )
