"""Leaky ReLU of int16 against the integer reference."""

import numpy as np
import pytest
from tvm import relax

from tests.reference.activation import leaky_relu
from tests.reference.fixed_point import INT16, Quantization
from tests.tools.kernel_runner import compile_and_run, dequantized, module_of, quantized, views_in

VALUES = np.arange(-32768, 32768, dtype=np.int16).reshape(1, 1, 256, 256)


@pytest.mark.parametrize("slope", [0.01, 0.1, 0.3])
@pytest.mark.parametrize("ratio", [0.77, 1.0, 3.1])
def test_equals_the_reference(slope: float, ratio: float) -> None:
    source, output = (Quantization(float(np.float32(scale))) for scale in (0.0003, 0.0003 * ratio))
    module = module_of(
        [(VALUES.shape, "int16")],
        lambda x: quantized(
            relax.op.nn.leakyrelu(dequantized(x, source.scale), slope), output.scale, 0, "int16"
        ),
    )
    [view] = views_in(module)
    assert (view.kind, view.describe(), view.overlap_distance(0)) == ("leaky_relu", f"slope {slope:g}", 0)
    [result] = compile_and_run(module, [VALUES])
    np.testing.assert_array_equal(result, leaky_relu(VALUES, source, output, slope, INT16))
