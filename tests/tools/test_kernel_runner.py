"""The kernel runner computes what the module says, and notices what goes wrong."""

import numpy as np
import pytest
from tvm import relax

from tests.tools.kernel_runner import compile_and_run, dequantized, module_of, quantized, views_in


def _sum(a: relax.Expr, b: relax.Expr) -> relax.Expr:
    return quantized(relax.op.add(dequantized(a, 0.5, 3), dequantized(b, 0.5, -5)), 1.0, 1)


def test_sum_of_two_inputs() -> None:
    module = module_of([((1, 2, 3), "int8"), ((1, 2, 3), "int8")], _sum)
    a, b = np.arange(6, dtype=np.int8).reshape(1, 2, 3), np.full((1, 2, 3), -5, np.int8)
    assert [view.kind for view in views_in(module)] == ["add"]
    [result] = compile_and_run(module, [a, b])
    assert result.tolist() == [[[-1, 0, 0], [1, 2, 2]]]


def test_inputs_of_the_wrong_type_are_refused() -> None:
    module = module_of([((1, 2, 3), "int8"), ((1, 2, 3), "int8")], _sum)
    with pytest.raises(AssertionError, match="takes"):
        compile_and_run(module, [np.zeros((1, 2, 3), np.int16)] * 2)
