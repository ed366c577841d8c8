"""Operators with a kernel for the core are told to use it; all others stay portable."""

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.tools.kernel_runner import dequantized, module_of, quantized
from tinycc import tvm_adapter
from tinycc.graph import view_of as view_in_graph
from tinycc.ops import view_of
from tinycc.ops.base import INSTRUCTION_SET, VARIANT
from tinycc.ops.pointwise.dsp import DspPointwise
from tinycc.ops.pointwise.helium import HeliumPointwise
from tinycc.passes import select_kernels
from tinycc.passes.fuse_quantized_ops import FuseQuantizedOps
from tinycc.passes.select_kernels import SelectKernels
from tinycc.schedule import costs
from tinycc.target import TARGETS


def convolution() -> tvm.IRModule:
    def body(x: relax.Expr) -> relax.Expr:
        weights = dequantized(np.ones((1, 1, 4, 2), np.int8), 0.01)
        product = relax.op.nn.conv2d(dequantized(x, 0.1), weights, data_layout="NHWC", kernel_layout="HWIO")
        return quantized(product, 0.2)

    return FuseQuantizedOps()(module_of([((1, 3, 3, 4), "int8")], body))


def variant_with(features: tuple[str, ...]) -> str:
    module = SelectKernels(features)(convolution())
    [function] = [item for item in module.functions.values() if tvm_adapter.attribute(item, "Composite")]
    return view_of(function).variant


@pytest.fixture
def two_variants(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were convolutions for both extensions."""

    for kernel in (DspPointwise, HeliumPointwise):
        monkeypatch.setattr(kernel, "fits", lambda _self, _view: True)


def test_a_core_without_extensions_runs_portable_kernels() -> None:
    assert variant_with(()) == "portable"


@pytest.mark.parametrize(
    ("core", "expected"),
    [
        ("cortex-m0", "armv6-m"),
        ("cortex-m3", "armv7-m"),
        ("rv32imc", "rv32imc"),
        ("cortex-m4", ""),
        ("host", ""),
    ],
)
def test_operators_are_told_of_an_instruction_set_that_has_costs_of_its_own(core: str, expected: str) -> None:
    target = TARGETS[core]
    module = SelectKernels(target.features, target.instruction_set)(convolution())
    [function] = [item for item in module.functions.values() if tvm_adapter.attribute(item, "Composite")]
    assert tvm_adapter.attribute(function, INSTRUCTION_SET, "") == expected
    assert view_of(function).instruction_set == view_in_graph(function).instruction_set == expected


@pytest.mark.usefixtures("two_variants")
def test_of_kernels_never_counted_the_widest_of_the_core_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select_kernels, "is_counted", lambda _view: False)
    assert variant_with(("dsp", "fpu")) == "dsp"
    assert variant_with(("dsp", "fpu", "helium")) == "helium"


def test_a_feature_that_no_kernel_uses_changes_nothing() -> None:
    module = convolution()
    assert not any(
        tvm_adapter.attribute(item, VARIANT) for item in SelectKernels(("fpu",))(module).functions.values()
    )


@pytest.mark.usefixtures("two_variants")
@pytest.mark.parametrize(("macs", "expected"), [(1.0, "dsp"), (9.0, "portable")])
def test_of_counted_kernels_that_of_fewest_instructions_is_used(
    macs: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Counted(dict[str, dict[str, float]]):
        """A model for every kernel."""

        def __contains__(self, _kernel: object) -> bool:
            return True

    models = {
        "dsp": Counted(any={"macs": macs}),
        "portable": Counted(any={"macs": 3.0}),
    }
    monkeypatch.setattr(costs, "_models", lambda: models)
    assert variant_with(("dsp",)) == expected
