"""Explicit padding by the zero point becomes the convolution's own."""

from collections.abc import Sequence

import numpy as np
import pytest
import tvm
from tvm import relax

from tests.passes.layout_tools import random_inputs, run_on_vm
from tests.tools.assert_pass import assert_becomes, names_in
from tests.tools.kernel_runner import dequantized, module_of, quantized
from tinycc import tvm_adapter
from tinycc.passes.fold_padding import FoldPadding

WEIGHTS = np.ones((3, 3, 2, 4), np.int8)


def padded(
    widths: Sequence[int] | None,
    own: Sequence[int],
    value: int = 3,
    mode: str = "constant",
    channels: int = 2,
) -> tvm.IRModule:
    """A convolution of `channels` channels with `own` padding over a pad by `widths`."""
    weights = np.ones((3, 3, channels, 4), np.int8)

    def body(x: relax.Expr) -> relax.Expr:
        if widths is not None:
            x = relax.op.nn.pad(x, widths, mode, value)
        product = relax.op.nn.conv2d(
            dequantized(x, 0.1, 3), dequantized(weights, 0.01), padding=own, data_layout="NHWC",
            kernel_layout="HWIO",
        )  # fmt: skip
        return quantized(product, 0.2)

    return module_of([((1, 6, 6, 2), "int8")], body)


def test_the_two_paddings_add_up() -> None:
    after = FoldPadding()(padded([0, 0, 1, 2, 3, 0, 0, 0], [1, 1, 0, 0]))
    assert sorted(names_in(after)) == sorted(names_in(padded(None, [2, 4, 2, 0])))
    [padding] = [
        [int(size) for size in binding.value.attrs.padding]
        for binding in tvm_adapter.bindings_of(after["main"])
        if tvm_adapter.op_name(binding.value) == "relax.nn.conv2d"
    ]
    assert padding == [2, 4, 2, 0]


@pytest.mark.parametrize(
    "before",
    [
        padded([0, 0, 1, 1, 1, 1, 0, 0], [0, 0, 0, 0], value=0),
        padded([0, 0, 1, 1, 1, 1, 0, 0], [0, 0, 0, 0], mode="reflect"),
        padded([0, 0, 1, 1, 1, 1, 0, 1], [0, 0, 0, 0], channels=3),
    ],
    ids=["by another value", "by reflection", "of channels"],
)
def test_other_padding_stays(before: tvm.IRModule) -> None:
    assert_becomes(FoldPadding(), before, before)


def test_a_pad_that_others_read_stays_for_them() -> None:
    def body(x: relax.Expr) -> list[relax.Expr]:
        pad = relax.op.nn.pad(x, [0, 0, 1, 1, 1, 1, 0, 0], "constant", 3)
        product = relax.op.nn.conv2d(
            dequantized(pad, 0.1, 3), dequantized(WEIGHTS, 0.01), data_layout="NHWC", kernel_layout="HWIO"
        )
        return [quantized(product, 0.2), relax.op.nn.max_pool2d(pad, layout="NHWC")]

    after = FoldPadding()(module_of([((1, 6, 6, 2), "int8")], body))
    assert names_in(after).count("nn.pad") == 1


def test_the_result_is_the_same_to_the_bit() -> None:
    before = padded([0, 0, 1, 2, 3, 0, 0, 0], [1, 1, 0, 0])
    values = random_inputs(before)
    [expected], [result] = run_on_vm(before, values), run_on_vm(FoldPadding()(before), values)
    np.testing.assert_array_equal(result, expected)
