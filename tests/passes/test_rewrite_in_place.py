"""Composites are told how far their output may overlap each operand; nothing else changes."""

import numpy as np
import tvm
from tvm import relax

from tests.tools.assert_pass import assert_becomes
from tests.tools.kernel_runner import dequantized, module_of, quantized
from tinycc import tvm_adapter
from tinycc.ops.overlap import OVERLAP_DISTANCES
from tinycc.passes.fuse_quantized_ops import FuseQuantizedOps
from tinycc.passes.lower_fallbacks import LowerFallbacks
from tinycc.passes.rewrite_in_place import RewriteInPlace
from tinycc.passes.split_shared_dequantize import SplitSharedDequantize

SHAPE = (1, 6, 5, 4)
INT8 = [(SHAPE, "int8")]


def fused(module: tvm.IRModule) -> tvm.IRModule:
    """Up to the pass under test."""
    return tvm.transform.Sequential([SplitSharedDequantize(), FuseQuantizedOps(), LowerFallbacks()])(module)


def distances(module: tvm.IRModule) -> dict[str, int] | None:
    """What the pass writes on a module's only composite; None where it writes nothing."""
    [function] = [item for item in RewriteInPlace()(fused(module)).functions.values() if is_composite(item)]
    attribute = tvm_adapter.attribute(function, OVERLAP_DISTANCES)
    return None if attribute is None else {str(key): int(value) for key, value in attribute.items()}


def is_composite(function: relax.Function) -> bool:
    return tvm_adapter.attribute(function, "Composite") is not None


def real(x: relax.Expr) -> relax.Expr:
    return dequantized(x, 0.05, 3)


def test_an_elementwise_operator_runs_in_place_of_either_operand() -> None:
    module = module_of(INT8 * 2, lambda x, y: quantized(relax.op.add(real(x), real(y)), 0.1, 3))
    assert distances(module) == {"0": 0, "1": 0}


def test_a_constant_operand_is_not_overlapped() -> None:
    values = np.ones(SHAPE, np.int8)
    module = module_of(INT8, lambda x: quantized(relax.op.add(real(x), dequantized(values, 0.1)), 0.1, 3))
    assert distances(module) == {"0": 0}


def test_a_depthwise_convolution_needs_a_row_and_a_pixel() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        weights = dequantized(np.ones((3, 3, 4, 1), np.int8), 0.01)
        product = relax.op.nn.conv2d(
            real(x), weights, padding=[1, 1, 1, 1], groups=4, data_layout="NHWC", kernel_layout="HWOI"
        )
        return quantized(product, 0.2)

    _, _, width, channels = SHAPE
    assert distances(module_of(INT8, body)) == {"0": (width + 1) * channels}


def test_a_wider_output_runs_ahead_of_its_input_by_its_growth() -> None:
    """Four bytes from one: written up to element i, 4 * i bytes, when byte i is still to be read."""
    module = module_of(INT8, lambda x: real(x))
    elements = int(np.prod(SHAPE))
    assert distances(module) == {"0": 3 * (elements - 1)}


def test_types_that_c_keeps_apart_are_not_overlapped() -> None:
    module = module_of([(SHAPE, "int16")], lambda x: dequantized(x, 0.05))
    assert distances(module) is None


def test_a_fallback_says_nothing() -> None:
    module = module_of(INT8, lambda x: quantized(relax.op.nn.softmax(real(x), axis=1), 2.0**-8, -128))
    assert distances(module) is None


def test_only_attributes_are_added() -> None:
    before = fused(module_of(INT8, lambda x: quantized(relax.op.sigmoid(real(x)), 1 / 256, -128)))
    [(variable, function)] = [item for item in before.functions.items() if is_composite(item[1])]
    expected = tvm.IRModule(dict(before.functions), attrs=before.attrs)
    expected.update_func(variable, function.with_attr(OVERLAP_DISTANCES, {"0": 0}))
    assert_becomes(RewriteInPlace(), before, expected)


def test_a_module_without_composites_stays_as_it_is() -> None:
    module = module_of(INT8, lambda x: relax.op.reshape(x, (1, 120)))
    assert_becomes(RewriteInPlace(), module, module)
