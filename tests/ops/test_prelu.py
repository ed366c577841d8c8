"""PReLU against the integer reference."""

import numpy as np
import pytest
import tvm
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tests.reference.activation import prelu
from tests.reference.fixed_point import Quantization
from tests.tools.kernel_runner import compile_and_run, dequantized, module_of, quantized, views_in
from tinycc.errors import UnsupportedError

SHAPE = (1, 4, 16, 5)
SOURCE, SLOPES = Quantization(float(np.float32(0.1)), 3), Quantization(float(np.float32(0.013)), -7)


def prelu_module(slopes: np.ndarray, output: Quantization, axis: int = -1) -> tvm.IRModule:
    def body(x: relax.Expr) -> relax.Expr:
        real = dequantized(x, SOURCE.scale, SOURCE.zero_point)
        real_slopes = dequantized(slopes, SLOPES.scale, SLOPES.zero_point)
        return quantized(relax.op.nn.prelu(real, real_slopes, axis), output.scale, output.zero_point)

    return module_of([(SHAPE, "int8")], body)


@settings(max_examples=8)
@given(st.integers(0, 999), st.sampled_from([0.03, 0.1, 0.21]), st.sampled_from([-128, 0, 100]))
def test_equals_the_reference(seed: int, scale: float, zero_point: int) -> None:
    output = Quantization(float(np.float32(scale)), zero_point)
    generator = np.random.default_rng(seed)
    values, slopes = (generator.integers(-128, 128, shape).astype(np.int8) for shape in (SHAPE, 5))
    values.flat[:2] = -128, 127
    module = prelu_module(slopes, output)
    [view] = views_in(module)
    assert view.kind == "prelu" and view.overlap_distance(0) == 0
    [result] = compile_and_run(module, [values])
    np.testing.assert_array_equal(result, prelu(values, slopes, (SOURCE, SLOPES, output)))


def test_slopes_along_another_axis_are_refused() -> None:
    with pytest.raises(UnsupportedError, match="one for each channel"):
        views_in(prelu_module(np.arange(16, dtype=np.int8), SOURCE, 2))
