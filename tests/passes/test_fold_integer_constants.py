"""Integer constants are folded, and elementwise functions of real ones; quantized weights stay."""

import numpy as np
import tvm
from tvm import relax

from tests.passes.layout_tools import operators, run_on_vm
from tinycc.frontend.padding import padded
from tinycc.passes.fold_integer_constants import FoldIntegerConstants

WEIGHTS = np.arange(-12, 12, dtype=np.int8).reshape(2, 3, 4)


def _module(build: object, dtype: str = "int8") -> tvm.IRModule:
    builder = relax.BlockBuilder()
    with builder.function("main", []):
        with builder.dataflow():
            result = builder.emit_output(builder.emit(build(builder, relax.const(WEIGHTS.astype(dtype)))))
        builder.emit_func_output(result)
    return relax.transform.CanonicalizeBindings()(builder.get())


def _pads(builder: relax.BlockBuilder, weights: relax.Expr) -> relax.Expr:
    parts = [
        builder.emit(relax.op.nn.pad(weights, [0, 0, 1, 2, 0, 1], mode, 7 if mode == "constant" else 0))
        for mode in ("constant", "reflect", "replicate", "circular")
    ]
    mirrored = builder.emit(padded(builder, parts[0], [(0, 0), (2, 1), (0, 0)], "symmetric"))
    return relax.op.concat([*parts, mirrored], 1)


def _chain(builder: relax.BlockBuilder, weights: relax.Expr) -> relax.Expr:
    moved = builder.emit(relax.op.permute_dims(weights, [2, 0, 1]))
    part = builder.emit(relax.op.strided_slice(moved, [0], [1], [4], [2]))
    joined = builder.emit(relax.op.concat([part, part], 1))
    flat = builder.emit(relax.op.reshape(joined, [24]))
    wide = builder.emit(relax.op.astype(flat, "int32"))
    return builder.emit(relax.op.squeeze(builder.emit(relax.op.expand_dims(wide, 0)), [0]))


def test_a_chain_becomes_one_constant() -> None:
    before = _module(_chain)
    after = FoldIntegerConstants()(before)
    assert relax.analysis.check_well_formed(after)
    assert operators(after) == []
    np.testing.assert_array_equal(run_on_vm(after, [])[0], run_on_vm(before, [])[0])


def test_padding_keeps_its_value_or_its_mode() -> None:
    before = _module(_pads)
    after = FoldIntegerConstants()(before)
    assert operators(after) == []
    np.testing.assert_array_equal(run_on_vm(after, [])[0], run_on_vm(before, [])[0])


def test_weights_stay_under_their_dequantize() -> None:
    before = _module(
        lambda builder, weights: relax.op.dequantize(
            weights, relax.const(0.5), relax.const(0, "int32"), axis=0
        )
    )
    after = FoldIntegerConstants()(before)
    assert operators(after) == ["dequantize"]
    tvm.ir.assert_structural_equal(after, before)


def test_real_constants_are_moved_alike() -> None:
    before = _module(_chain, "float32")
    after = FoldIntegerConstants()(before)
    assert operators(after) == []
    np.testing.assert_array_equal(run_on_vm(after, [])[0], run_on_vm(before, [])[0])


def test_factors_of_real_constants_are_computed() -> None:
    def body(builder: relax.BlockBuilder, weights: relax.Expr) -> relax.Expr:
        root = builder.emit(relax.op.sqrt(builder.emit(relax.op.abs(weights))))
        factor = builder.emit(relax.op.divide(weights, builder.emit(relax.op.add(root, relax.const(0.5)))))
        is_small = builder.emit(relax.op.less(factor, relax.const(0.25)))
        filled = builder.emit(relax.op.full([2, 3, 4], relax.const(0.125)))
        clipped = builder.emit(relax.op.clip(builder.emit(relax.op.erf(factor)), -0.5, 0.5))
        return builder.emit(relax.op.where(is_small, clipped, filled))

    before = _module(body, "float32")
    after = FoldIntegerConstants()(before)
    assert operators(after) == []
    np.testing.assert_allclose(run_on_vm(after, [])[0], run_on_vm(before, [])[0], rtol=1e-6)
