"""Plans of small modules, for the tests of planning."""

import tvm
from tvm import relax

from tests.tools.kernel_runner import dequantized, quantized
from tests.tools.layers import Weights, layer_module
from tinycc.passes.pipeline import default_passes
from tinycc.plan import Plan, build_plan

SHAPE = (1, 6, 5, 4)


def plan_of(module: tvm.IRModule) -> Plan:
    """The plan of a module in the normal form."""
    return build_plan(tvm.transform.Sequential(default_passes("float"))(module))


def real(x: relax.Expr) -> relax.Expr:
    """An int8 tensor as real numbers."""
    return dequantized(x, 0.05, 3)


def sigmoid(x: relax.Expr) -> relax.Expr:
    """A table lookup, which runs in place."""
    return quantized(relax.op.sigmoid(real(x)), 0.05, 3)


def pixelwise(x: relax.Expr) -> relax.Expr:
    """The largest of single pixels, which runs in place and is no function that a table could take in."""
    return relax.op.nn.max_pool2d(x, (1, 1), layout="NHWC")


def added(one: relax.Expr, other: relax.Expr) -> relax.Expr:
    """The sum of two int8 tensors."""
    return quantized(relax.op.add(real(one), real(other)), 0.05, 3)


def pooled(x: relax.Expr, height: int = 2) -> relax.Expr:
    """The largest of `height` x 2 pixels."""
    return relax.op.nn.max_pool2d(x, (height, 2), layout="NHWC")


def chain(x: relax.Expr) -> relax.Expr:
    """Three steps, each in place: a lookup, a pooling, a tensor added to itself."""
    small = pooled(sigmoid(x))
    return added(small, small)


def convolution() -> tvm.IRModule:
    """One convolution, 3x3, whose output may overlap its input at a distance."""

    def product(x: relax.Expr, weights: relax.Expr) -> relax.Expr:
        return relax.op.nn.conv2d(x, weights, padding=[1, 1, 1, 1], data_layout="NHWC", kernel_layout="HWIO")

    return layer_module(product, SHAPE, Weights((3, 3, 4, 6), 6, 3))


def log_softmax_of_rows(x: relax.Expr) -> relax.Expr:
    """A fallback between two lookups; it needs scratch memory."""
    return sigmoid(quantized(relax.op.nn.log_softmax(real(sigmoid(x)), axis=1), 0.05, 3))
