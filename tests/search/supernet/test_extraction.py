"""A network that is taken out of a supernet computes what it did inside."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the supernet needs the extra tinycc[search]")

import torch

from tinycc.search.architecture import Depthwise
from tinycc.search.network import Network
from tinycc.search.space import Genome, Space, Stage
from tinycc.search.spaces import image_space, spectrogram_space
from tinycc.search.supernet.elastic import ElasticDepthwise, ElasticNorm
from tinycc.search.supernet.network import Supernet, extracted, resized
from tinycc.search.supernet.sort_channels import sort_channels

# Stages that are added to the one before them at some widths, and blocks with no convolution that expands.
MIXED = Space(
    ((9, 9), (12, 12)), 3, 8, (3, 3), (1, 1),
    (
        Stage(8, (1, 1), (1, 2), ((3, 3), (5, 5)), (1,), (0.5, 1.0)),
        Stage(16, (1, 1), (1, 3), ((3, 3), (7, 7)), (1, 1.5, 3), (0.5, 1.0)),
        Stage(16, (2, 2), (2,), ((1, 5), (5, 1)), (), (0.5, 1.0)),
    ),
    24, 5, divisor=4,
)  # fmt: skip
# Blocks with fewer channels inside than they read.
ODD = Space(
    ((8, 8),), 2, 16, (3, 3), (1, 1),
    (
        Stage(8, (2, 2), (1, 2), ((1, 5), (3, 3)), (0.5, 1)),
        Stage(8, (1, 1), (1, 2), ((5, 1), (1, 5)), (0.5, 1, 2), (0.5, 1.0)),
    ),
    0, 3, divisor=4,
)  # fmt: skip
SPACES = {
    "mixed": MIXED,
    "odd": ODD,
    "images": image_space((16, 24), 3, 10).scaled(0.5, ((16, 16), (24, 24))),
    "spectrograms": spectrogram_space(((20, 10),), 4),
}


def supernet_of(name: str) -> Supernet:
    """With statistics as if it had been trained."""
    torch.manual_seed(0)
    supernet = Supernet(SPACES[name])
    with torch.no_grad():
        for module in supernet.modules():
            if isinstance(module, ElasticNorm):
                for item in (module.mean, module.bias):
                    item.normal_(0, 0.3)
                for item in (module.variance, module.weight):
                    item.uniform_(0.5, 1.5)
            if isinstance(module, ElasticDepthwise):
                for matrix in module.matrices.values():
                    matrix.normal_(0, 0.3)
    return supernet.eval()


def images_for(space: Space, genome: Genome) -> torch.Tensor:
    size = space.input_size(genome)
    return torch.rand(2, space.input_channels, *size, generator=torch.Generator().manual_seed(1))


def genomes(space: Space) -> list[Genome]:
    random = np.random.default_rng(0)
    return [space.largest(), space.smallest(), *(space.sampled(random) for _ in range(20))]


@pytest.mark.parametrize("name", SPACES)
@torch.no_grad()
def test_it_equals_itself_inside(name: str) -> None:
    supernet, space = supernet_of(name), SPACES[name]
    for genome in genomes(space):
        images = images_for(space, genome)
        network = extracted(supernet, genome)
        assert isinstance(network, Network) and network.architecture == space.architecture(genome)
        torch.testing.assert_close(network(images), supernet(images, genome), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", SPACES)
@torch.no_grad()
def test_sorted_channels_leave_the_largest_network_as_it_is(name: str) -> None:
    supernet, space = supernet_of(name), SPACES[name]
    images = images_for(space, space.largest())
    before, smallest = supernet(images, space.largest()), extracted(supernet, space.smallest())
    sort_channels(supernet)
    torch.testing.assert_close(supernet(images, space.largest()), before, rtol=1e-5, atol=1e-5)
    after = extracted(supernet, space.smallest())
    assert not all(map(torch.equal, after.state_dict().values(), smallest.state_dict().values()))


def test_the_first_channels_are_the_important_ones() -> None:
    supernet = supernet_of("images")
    sort_channels(supernet)
    stages: Any = supernet.stages
    norms = stages[2][1].project.weight.abs().sum((0, 2, 3))
    assert torch.equal(norms, norms.sort(descending=True).values)
    norms = supernet.dense.weight.abs().sum(0)
    readers = [block.expand.weight.abs().sum((0, 2, 3)) for block in stages[-1][1:]]
    norms = torch.stack([norms, *readers]).sum(0)
    assert torch.allclose(norms, norms.sort(descending=True).values)


def test_a_smaller_kernel_is_the_middle_of_the_next_larger_one() -> None:
    layer = ElasticDepthwise(2, ((1, 3), (3, 1), (3, 3), (1, 5), (5, 1), (5, 5)))
    for kernel, rows, columns in (
        ((1, 5), slice(2, 3), slice(5)),
        ((3, 3), slice(1, 4), slice(1, 4)),
        ((1, 3), slice(2, 3), slice(1, 4)),
    ):
        assert torch.equal(layer.weight_of(Depthwise(kernel), 2), layer.weight[:, :, rows, columns])
    # 1x3 is made of 1x5, and so it changes with its matrix.
    with torch.no_grad():
        layer.matrices["1x5"].mul_(2)
    assert torch.equal(layer.weight_of(Depthwise((1, 3)), 2), 2 * layer.weight[:, :, 2:3, 1:4])


def test_images_are_resized_without_what_is_finer_than_the_grid() -> None:
    stripes = torch.tensor([0.0, 1.0]).repeat(16).expand(1, 1, 32, 32)
    assert resized(stripes, (32, 32)) is stripes
    small = resized(stripes, (8, 8))
    assert small.shape == (1, 1, 8, 8) and (small - 0.5).abs().max() < 0.05
