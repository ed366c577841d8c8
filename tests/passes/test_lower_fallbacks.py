"""What no kernel computes becomes a composite of its own; everything else stays as it is."""

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.passes.layout_tools import random_inputs, run_on_vm
from tests.tools.kernel_runner import dequantized, module_of, quantized
from tinycc import tvm_adapter
from tinycc.errors import UnsupportedError
from tinycc.graph import view_of
from tinycc.passes.fuse_quantized_ops import FuseQuantizedOps
from tinycc.passes.lower_fallbacks import LowerFallbacks


def through(transform: tvm.transform.Pass, module: tvm.IRModule) -> tvm.IRModule:
    """The module after a pass."""
    return transform(module)


def composites(module: tvm.IRModule) -> list[str]:
    """The kinds of composites that `main` calls, in order; the names of operators where it calls those."""
    kinds = []
    for binding in tvm_adapter.bindings_of(module["main"]):
        value = binding.value
        if isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.GlobalVar):
            kinds.append(str(tvm_adapter.attribute(module[value.op], "Composite")))
        elif tvm_adapter.op_name(value):
            kinds.append(tvm_adapter.op_name(value))
    return kinds


def lowered(module: tvm.IRModule, *, fused: bool = True) -> tvm.IRModule:
    """The module after the pass, which must be well-formed and compute what it did."""
    before = through(FuseQuantizedOps(), module) if fused else module
    after = through(LowerFallbacks(), before)
    assert relax.analysis.check_well_formed(after)
    values = random_inputs(module)
    for result, expected in zip(run_on_vm(after, values), run_on_vm(before, values), strict=True):
        np.testing.assert_array_equal(result, expected)
    return after


def softmax_of(axis: int) -> tvm.IRModule:
    def body(x: relax.Expr) -> relax.Expr:
        return quantized(relax.op.nn.softmax(dequantized(x, 0.1), axis=axis), 2.0**-8, -128)

    return module_of([((1, 5, 4), "int8")], body)


def test_left_over_calls_become_fallbacks_with_their_elementwise_neighbours() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        real = relax.op.sin(relax.op.reshape(dequantized(x, 0.1), (1, 20)))
        return relax.op.power(real, relax.const(np.float32(0.5)))

    module = lowered(module_of([((1, 5, 4), "int8")], body))
    assert composites(module) == ["tinycc.dequantize", "relax.reshape", "tinycc.fallback"]


def test_what_is_read_twice_or_would_be_computed_twice_stays_apart() -> None:
    def body(x: relax.Expr) -> list[relax.Expr]:
        emit = relax.BlockBuilder.current().emit
        shared = emit(relax.op.exp(x))
        row = emit(relax.op.sqrt(relax.op.sum(shared, axis=-1, keepdims=True)))
        product = emit(relax.op.matmul(emit(relax.op.tanh(shared)), relax.const(np.eye(4, dtype=np.float32))))
        return [emit(relax.op.divide(product, row))]

    module = lowered(module_of([((5, 4), "float32")], body), fused=False)
    groups = [view_of(module[item]).describe() for item in tvm_adapter.callees_of(module["main"])]
    names = [text.partition(":")[0] for text in groups]
    # The product reads an element of tanh again and again, the division one of it once.
    assert names == ["exp", "sum", "sqrt", "tanh", "matmul, divide"]


def test_a_composite_that_its_kernel_refuses_becomes_a_fallback() -> None:
    module = lowered(softmax_of(axis=1))
    assert composites(module) == ["tinycc.fallback"]
    [function] = [item for name, item in module.functions.items() if name.name_hint != "main"]
    assert "axis 1" in str(tvm_adapter.attribute(function, "tinycc.fallback_reason"))


def test_other_integers_do_not_get_the_kernels_of_bytes() -> None:
    module = lowered(module_of([((1, 4), "int32")] * 2, lambda x, y: relax.op.concat([x, y], 1)))
    assert composites(module) == ["tinycc.fallback"]


def test_what_has_a_kernel_is_left_alone() -> None:
    fused = through(FuseQuantizedOps(), softmax_of(axis=-1))
    tvm.ir.assert_structural_equal(through(LowerFallbacks(), fused), fused)


def test_calls_of_lowered_functions_are_refused() -> None:
    def body(x: relax.Expr) -> relax.Expr:
        return relax.op.call_pure_packed("elsewhere", x, ty_args=x.ty)

    with pytest.raises(UnsupportedError, match="before TVM's LegalizeOps"):
        through(LowerFallbacks(), module_of([((1, 4), "float32")], body))
