"""Each quantized operator becomes one composite."""

import numpy as np
from tvm import relax

from tests.passes.layout_tools import run_on_vm
from tests.tools.assert_pass import names_in
from tests.tools.kernel_runner import compile_and_run, dequantized, module_of, quantized
from tests.tools.layers import random_inputs
from tinycc.passes.fuse_quantized_ops import FuseQuantizedOps
from tinycc.passes.split_shared_dequantize import SplitSharedDequantize

WEIGHTS = np.ones((3, 3, 2, 4), np.int8)


def convolution(x: relax.Expr) -> relax.Expr:
    real, weights = dequantized(x, 0.1, 3), dequantized(WEIGHTS, 0.01)
    return relax.op.nn.conv2d(real, weights, data_layout="NHWC", kernel_layout="HWIO")


def test_a_convolution_takes_bias_activation_and_requantization_in() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        bias = dequantized(np.arange(4, dtype=np.int32), 0.001, 0, 0)
        return quantized(relax.op.nn.relu(relax.op.add(convolution(x), bias)), 0.2)

    assert names_in(FuseQuantizedOps()(module_of([((1, 6, 6, 2), "int8")], body))) == ["conv2d"]


def test_a_residual_block_is_two_operators() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        weights = dequantized(np.ones((1, 1, 2, 2), np.int8), 0.01)
        product = relax.op.nn.conv2d(
            dequantized(x, 0.1, 3), weights, data_layout="NHWC", kernel_layout="HWIO"
        )
        branch = quantized(product, 0.2)
        return quantized(relax.op.add(dequantized(branch, 0.2), dequantized(x, 0.1, 3)), 0.3)

    module = SplitSharedDequantize()(module_of([((1, 6, 6, 2), "int8")], body))
    assert names_in(FuseQuantizedOps()(module)) == ["conv2d", "add"]


def test_a_depthwise_convolution_is_told_apart() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        weights = dequantized(np.ones((3, 3, 1, 2), np.int8), 0.01)
        product = relax.op.nn.conv2d(
            dequantized(x, 0.1, 3), weights, groups=2, data_layout="NHWC", kernel_layout="HWIO"
        )
        return quantized(product, 0.2)

    assert names_in(FuseQuantizedOps()(module_of([((1, 6, 6, 2), "int8")], body))) == ["depthwise_conv2d"]


def test_integers_that_move_need_no_quantization() -> None:
    module = module_of([((1, 6, 6, 2), "int8")], lambda x: relax.op.nn.max_pool2d(x, (2, 2), layout="NHWC"))
    assert names_in(FuseQuantizedOps()(module)) == ["max_pool2d"]


def test_what_others_read_is_not_taken_in() -> None:
    """A real number that two functions share is no second result of either."""

    def body(x: relax.Expr) -> list[relax.Expr]:
        builder = relax.BlockBuilder.current()
        shared = builder.emit(relax.op.maximum(dequantized(x, 0.05, 3), relax.const(0.0)))
        return [quantized(relax.op.exp(shared), 0.05, -100), quantized(relax.op.sin(shared), 0.01)]

    module = module_of([((1, 9), "int8")], body)
    inputs = random_inputs([((1, 9), "int8")], 0)
    for result, expected in zip(compile_and_run(module, inputs), run_on_vm(module, inputs), strict=True):
        np.testing.assert_array_equal(result, expected)
