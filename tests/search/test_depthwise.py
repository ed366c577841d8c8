"""Gradients of wide depthwise kernels, which are made of strips, are those of torch."""

import pytest

pytest.importorskip("torch", reason="the search needs the extra tinycc[search]")

import torch
from torch.nn import functional

from tinycc.search.architecture import Pair
from tinycc.search.depthwise import depthwise


@pytest.mark.parametrize("kernel", [(1, 5), (5, 1), (3, 3), (5, 5), (7, 7), (3, 9)])
@pytest.mark.parametrize("stride", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("size", [(9, 10), (2, 3), (1, 1)])
def test_gradients_are_those_of_torch(kernel: Pair, stride: Pair, size: Pair) -> None:
    generator = torch.Generator().manual_seed(0)
    values = torch.randn((3, 5, *size), generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn((5, 1, *kernel), generator=generator, dtype=torch.float64, requires_grad=True)
    padding = (kernel[0] // 2, kernel[1] // 2)
    wanted = functional.conv2d(values, weight, None, stride, padding, groups=5)
    found = depthwise(values, weight, stride)
    torch.testing.assert_close(found, wanted)
    gradient = torch.randn(wanted.shape, generator=generator, dtype=torch.float64)
    for own, other in zip(
        torch.autograd.grad(found, (values, weight), gradient),
        torch.autograd.grad(wanted, (values, weight), gradient),
        strict=True,
    ):
        torch.testing.assert_close(own, other)


def test_images_need_no_gradient() -> None:
    weight = torch.ones((2, 1, 1, 5), requires_grad=True)
    depthwise(torch.ones((1, 2, 1, 3)), weight, (1, 1)).sum().backward()
    assert weight.grad is not None and weight.grad[0].flatten().tolist() == [1, 2, 3, 2, 1]
