"""Rows of a table at computed indices, against numpy, TVM's VM and whatever indices come."""

import numpy as np
import pytest
from tvm import relax

from tests.tools.kernel_runner import compile_and_run, module_of, views_in

TABLE = np.arange(-20, 22).reshape(7, 3, 2)
INDICES = np.array([[0, 6, 3, 3], [-1, -7, 5, 0]])
OUTSIDE = np.array([[7, -8, 20, -20], [2**31 - 1, -(2**31), 1, 0]])


@pytest.mark.parametrize("element", ["int8", "int16", "float32"])
@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("mode", ["wrap", "clip"])
def test_rows_are_taken_and_nothing_outside(index: str, element: str, mode: str) -> None:
    table = TABLE.astype(element)
    module = module_of(
        [((2, 4), index)], lambda x: relax.op.take(relax.const(table, element), x, axis=0, mode=mode)
    )
    assert [view.kind for view in views_in(module)] == ["embedding"]
    for indices in (INDICES % 7 if mode == "clip" else INDICES, OUTSIDE):
        [result] = compile_and_run(module, [indices.astype(index)])
        np.testing.assert_array_equal(result, np.take(table, indices, 0, mode=mode))


def test_columns_of_a_table_are_left_to_the_fallback() -> None:
    module = module_of(
        [((4,), "int64")],
        lambda x: relax.op.take(relax.const(TABLE.astype("int8"), "int8"), x, axis=1, mode="wrap"),
    )
    assert not views_in(module)
    indices = np.array([2, 0, -1, 1])
    [result] = compile_and_run(module, [indices])
    np.testing.assert_array_equal(result, np.take(TABLE, indices, 1))
