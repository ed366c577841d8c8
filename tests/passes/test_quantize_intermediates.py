"""What a layer computes and another operator reads is int16; results are those of float, to a step."""

import numpy as np
from tvm import relax

from tests.tools.against_vm import kinds_in, steps_from_vm
from tests.tools.kernel_runner import dequantized, module_of, quantized

SHAPE = (1, 4, 5, 8)


def _layer(x: relax.Expr, seed: int, groups: int = 1) -> relax.Expr:
    """A convolution with a bias, not quantized."""
    generator = np.random.default_rng(seed)
    shape, layout = ((3, 3, 8, 1), "HWOI") if groups > 1 else ((3, 3, 8, 8), "HWIO")
    weights = dequantized(generator.integers(-127, 128, shape).astype(np.int8), 0.004)
    bias = dequantized(generator.integers(-9999, 9999, 8).astype(np.int32), 0.05 * 0.004)
    convolution = relax.op.nn.conv2d(
        dequantized(x, 0.05, 3), weights, padding=1, groups=groups, data_layout="NHWC", kernel_layout=layout
    )
    return relax.op.add(convolution, bias)


def _results(x: relax.Expr, y: relax.Expr) -> list[relax.Expr]:
    add, multiply, sigmoid = relax.op.add, relax.op.multiply, relax.op.sigmoid
    other = dequantized(y, 0.08, -5)
    full = relax.const(np.random.default_rng(9).normal(size=SHAPE).astype(np.float32))
    shared = _layer(x, 1)
    return [
        quantized(add(_layer(x, 2), other), 0.1, 3),
        quantized(relax.op.nn.relu(add(other, _layer(x, 3, groups=8))), 0.08, -128),
        quantized(relax.op.subtract(relax.op.nn.relu(_layer(x, 4)), other), 0.1, 3),
        quantized(multiply(_layer(x, 5), other), 0.3, 3),
        quantized(add(_layer(x, 6), _layer(y, 7)), 0.1, 3),
        quantized(add(_layer(x, 8), full), 0.1, 3),
        quantized(sigmoid(_layer(x, 10)), 1 / 256, -128),
        quantized(multiply(shared, sigmoid(shared)), 0.05, -120),
        quantized(sigmoid(add(_layer(x, 11), other)), 1 / 256, -128),
        quantized(multiply(sigmoid(_layer(x, 12)), other), 0.08, 3),
        quantized(relax.op.nn.leakyrelu(_layer(x, 13), 0.1), 0.06, -100),
    ]


def test_results_are_those_of_float_arithmetic_to_a_step() -> None:
    module = module_of([(SHAPE, "int8"), (SHAPE, "int8")], _results)
    assert not {"fallback", "quantize", "dequantize"} & set(kinds_in(module))
    assert max(steps_from_vm(module)) <= 1
