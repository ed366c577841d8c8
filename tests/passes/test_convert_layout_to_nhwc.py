"""Every NCHW operator gets an NHWC equal between transposes."""

from collections.abc import Callable

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.passes.layout_tools import operators, random_inputs, run_on_vm
from tinycc import tvm_adapter
from tinycc.passes.convert_layout_to_nhwc import ConvertLayoutToNhwc

Build = Callable[[relax.Expr], relax.Expr]


def _module(build: Build, shape: tuple[int, ...]) -> tvm.IRModule:
    builder = relax.BlockBuilder()
    x = relax.Var("x", relax.TensorType(shape, "float32"))
    with builder.function("main", [x]):
        with builder.dataflow():
            result = builder.emit_output(builder.emit(build(x)))
        builder.emit_func_output(result)
    return relax.transform.CanonicalizeBindings()(builder.get())


def _weights(*shape: int) -> relax.Expr:
    """int8 weights with a scale for each slice of axis 0."""
    generator = np.random.default_rng(1)
    scales = generator.uniform(0.01, 0.1, shape[0]).astype(np.float32)
    values = relax.const(generator.integers(-128, 128, shape).astype(np.int8))
    return relax.op.dequantize(values, relax.const(scales), relax.const(np.zeros(shape[0], np.int32)), axis=0)


CASES: dict[str, tuple[Build, tuple[int, ...]]] = {
    "conv2d": (lambda x: relax.op.nn.conv2d(x, _weights(5, 3, 3, 2), 2, [1, 0, 2, 1]), (1, 3, 7, 6)),
    "conv2d, grouped": (lambda x: relax.op.nn.conv2d(x, _weights(6, 2, 3, 3), groups=2), (1, 4, 7, 6)),
    "conv2d, depthwise": (lambda x: relax.op.nn.conv2d(x, _weights(4, 1, 3, 3), groups=4), (1, 4, 7, 6)),
    "conv2d, depth multiplier": (
        lambda x: relax.op.nn.conv2d(x, _weights(8, 1, 3, 3), groups=4),
        (1, 4, 7, 6),
    ),
    "conv1d": (lambda x: relax.op.nn.conv1d(x, _weights(5, 3, 3), 2, [1, 2], 2), (1, 3, 11)),
    "max_pool2d": (lambda x: relax.op.nn.max_pool2d(x, (2, 3), (2, 1), (1, 0, 0, 1)), (1, 3, 7, 6)),
    "avg_pool2d": (lambda x: relax.op.nn.avg_pool2d(x, (2, 3), (2, 1), (1, 0, 0, 1)), (1, 3, 7, 6)),
    "avg_pool1d": (lambda x: relax.op.nn.avg_pool1d(x, 2, 2, (1, 0)), (1, 3, 7)),
    "resize2d": (
        lambda x: relax.op.image.resize2d(
            x,
            relax.ShapeExpr([14, 12]),
            method="nearest_neighbor",
            coordinate_transformation_mode="asymmetric",
            rounding_method="floor",
        ),
        (1, 3, 7, 6),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_computes_the_same_in_nhwc(name: str) -> None:
    build, shape = CASES[name]
    before = _module(build, shape)
    after = ConvertLayoutToNhwc()(before)
    assert relax.analysis.check_well_formed(after)
    assert operators(after).count("permute_dims") == 2
    layouts = [
        str(getattr(binding.value.attrs, "data_layout", getattr(binding.value.attrs, "layout", "NHWC")))
        for binding in tvm_adapter.bindings_of(after["main"])
        if isinstance(binding.value, relax.Call) and binding.value.attrs is not None
    ]
    assert set(layouts) == {"NHWC"}
    inputs = random_inputs(before)
    np.testing.assert_allclose(
        run_on_vm(after, inputs)[0], run_on_vm(before, inputs)[0], rtol=1e-4, atol=1e-4
    )


def test_nhwc_is_left_alone() -> None:
    before = _module(lambda x: relax.op.nn.max_pool2d(x, 2, 2, layout="NHWC"), (1, 8, 8, 3))
    tvm.ir.assert_structural_equal(ConvertLayoutToNhwc()(before), before)
