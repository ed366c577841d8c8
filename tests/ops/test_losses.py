"""Losses and their gradients against torch, with bad labels."""

from functools import partial

import numpy as np
import pytest
import torch

from tests.tools.gradients import Case, in_c, on_both
from tests.tools.kernel_runner import check_overlap
from tinycc.ops.cross_entropy import cross_entropy, cross_entropy_gradient
from tinycc.ops.squared_error import squared_error, squared_error_gradient

SCALE, ZERO_POINT = 0.11, -3


def logits_of(classes: int) -> np.ndarray:
    """Random logits."""
    return np.random.default_rng(classes).integers(-128, 128, (1, classes)).astype(np.int8)


def entropy_cases(logits: np.ndarray, label: int) -> list[Case]:
    """Loss and gradient."""
    operands = [logits, np.array([label], np.int32)]
    return [Case(partial(make, scale=SCALE), operands) for make in (cross_entropy, cross_entropy_gradient)]


@pytest.mark.parametrize("classes", [1, 37])
def test_cross_entropy_equals_torch(classes: int) -> None:
    logits = logits_of(classes)
    label = classes // 2
    source = torch.from_numpy(logits.astype(np.float64)).requires_grad_()
    loss = torch.nn.functional.cross_entropy(source * float(np.float32(SCALE)), torch.tensor([label]))
    [expected] = torch.autograd.grad(loss, source)
    losses, gradients = on_both(*entropy_cases(logits, label))
    for value, gradient in zip(losses, gradients, strict=True):
        np.testing.assert_allclose(value, [loss.item()], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(gradient, expected.numpy(), rtol=1e-6, atol=1e-7)


def test_a_label_out_of_range_has_no_loss_and_no_gradient() -> None:
    cases = [case for label in (-1, 5, 2**31 - 1, -(2**31)) for case in entropy_cases(logits_of(5), label)]
    values = [*in_c(*cases), *(result for results in on_both(*cases[:2]) for result in results)]
    for value in values:
        assert np.isnan(value).all() if value.size == 1 else not value.any()


def test_squared_error_equals_torch() -> None:
    generator = np.random.default_rng(0)
    output = generator.integers(-128, 128, (1, 3, 7)).astype(np.int8)
    target = generator.normal(size=output.shape).astype(np.float32)
    source = torch.from_numpy(output.astype(np.float64)).requires_grad_()
    real = (source - ZERO_POINT) * float(np.float32(SCALE))
    loss = torch.nn.functional.mse_loss(real, torch.from_numpy(target.astype(np.float64)))
    [expected] = torch.autograd.grad(loss, source)
    cases = [
        Case(partial(make, scale=SCALE, zero_point=ZERO_POINT), [output, target])
        for make in (squared_error, squared_error_gradient)
    ]
    losses, gradients = on_both(*cases)
    for value, gradient in zip(losses, gradients, strict=True):
        np.testing.assert_allclose(value, [loss.item()], rtol=1e-6)
        np.testing.assert_allclose(gradient, expected.numpy(), rtol=1e-6, atol=1e-6)
    check_overlap(cases[1].module(), cases[1].inputs, index=1)
