"""Gradients of inputs of layers: to the bit as the headers say, and against autograd of torch."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.passes.layout_tools import run_on_vm
from tests.reference import gradients as reference
from tests.tools.gradient_layers import NAMES, GradientLayer, layer
from tests.tools.gradients import Case, in_c, on_both, on_core
from tests.tools.kernel_runner import check_overlap, views_in
from tinycc.ops.input_gradient import input_gradient


def case_of(item: GradientLayer, constants: tuple[int, ...] = ()) -> Case:
    """The gradient of a layer's input."""
    make = partial(input_gradient, window=item.window, groups=item.groups, input_shape=item.shape)
    return Case(make, [item.gradient, item.weights], constants)


def expected_of(item: GradientLayer) -> np.ndarray:
    """The same in numpy."""
    return reference.input_gradient(item.gradient, item.weights, item.window, item.groups, item.shape)


def by_torch(item: GradientLayer) -> np.ndarray:
    """By autograd of float64."""
    source = torch.zeros(item.shape, dtype=torch.float64).permute(0, 3, 1, 2).requires_grad_()
    filters = torch.from_numpy(item.weights.astype(np.float64)).permute(0, 3, 1, 2)
    window = item.window
    output = torch.nn.functional.conv2d(
        source, filters, None, window.stride, window.padding, window.dilation, item.groups
    )
    upstream = torch.from_numpy(item.gradient.astype(np.float64)).permute(0, 3, 1, 2)
    [result] = torch.autograd.grad(output, source, upstream)
    return result.permute(0, 2, 3, 1).numpy()


def error_of(item: GradientLayer, result: np.ndarray) -> float:
    """Against autograd, relative to the norm."""
    exact = by_torch(item)
    return float(np.linalg.norm(result - exact) / np.linalg.norm(exact))


def test_equals_the_order_that_is_stated_and_autograd() -> None:
    layers = [layer(name) for name in NAMES]
    for item, got in zip(layers, in_c(*map(case_of, layers)), strict=True):
        np.testing.assert_array_equal(got, expected_of(item), err_msg=item.name)
        assert error_of(item, got) < 1e-6, item.name


@pytest.mark.parametrize("name", ["dilated against the stride", "groups", "depthwise with stride"])
def test_the_vm_computes_the_same(name: str) -> None:
    item = layer(name)
    [result] = run_on_vm(case_of(item).module(), case_of(item).inputs)
    assert error_of(item, result) < 1e-6


def test_frozen_weights_are_constants() -> None:
    item = layer("image")
    case = case_of(item, constants=(1,))
    [(got, _)] = on_both(case)
    np.testing.assert_array_equal(got, expected_of(item))
    [view] = views_in(case.module())
    assert view.operand_bytes == item.weights.nbytes
    assert view.macs == item.gradient.size * item.weights[0].size


@pytest.mark.emulator
def test_blocks_in_the_registers_of_a_core(tmp_path: Path, require_tool: Callable[[str], str]) -> None:
    require_tool("arm-none-eabi-gcc")
    require_tool("qemu-system-arm")
    some = layer("many channels")
    every = replace(some, gradient=np.where(some.gradient == 0, np.float32(0.5), some.gradient))
    broken = replace(some, gradient=np.copysign(some.gradient, -1))
    broken.gradient[0, 0, :2, 3:6] = np.inf, -np.inf, np.nan
    layers = (some, every, broken)
    for item, result in zip(layers, on_core(tmp_path, *map(case_of, layers)), strict=True):
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(result, expected_of(item).reshape(-1))
        assert not np.any(np.signbit(result[result == 0]))


@pytest.mark.parametrize("name", ["pixels", "many channels", "depthwise with stride", "groups"])
def test_overlap_distances(name: str) -> None:
    case = case_of(layer(name))
    check_overlap(case.module(), case.inputs, is_tight=False)
