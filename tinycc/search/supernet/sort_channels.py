"""Channels in the order of their importance, so that the first ones are worth keeping.

A channel is as important as what reads it has large weights (L1 norm). The largest network computes the same.
Source: once-for-all networks (Cai et al., 2020).
"""

from collections.abc import Iterator

import torch
from torch import nn

from tinycc.search.supernet.elastic import ElasticConvolution
from tinycc.search.supernet.network import ElasticBlock, Supernet

# What makes a tensor between blocks, and what reads it.
Makers = list[ElasticConvolution]
Readers = list[ElasticBlock | ElasticConvolution | nn.Linear]


@torch.no_grad()
def sort_channels(supernet: Supernet) -> None:
    """Sort the channels inside blocks, and those between them."""
    for block in _blocks(supernet):
        if block.is_expanding and block.expand is not None:
            order = _by_importance(block.project.weight.abs().sum((0, 2, 3)))
            block.expand.permute(order)
            block.depthwise.permute(order)
            block.project.permute_sources(order)
    for makers, readers in _tensors(supernet):
        order = _by_importance(torch.stack([_read(reader) for reader in readers]).sum(0))
        for maker in makers:
            maker.permute(order)
        for reader in readers:
            _permute_sources(reader, order)


def _tensors(supernet: Supernet) -> Iterator[tuple[Makers, Readers]]:
    """Of tensors between blocks, those that the largest network adds up taken as one."""
    makers: Makers = [supernet.stem]
    readers: Readers = []
    for blocks, stage in zip(supernet.stages, supernet.space.stages, strict=True):
        assert isinstance(blocks, nn.ModuleList)
        first, *others = (block for block in blocks if isinstance(block, ElasticBlock))
        readers.append(first)
        is_added = bool(stage.expansions) and stage.stride == (1, 1)
        if not (is_added and _channels(first.project) == _channels(makers[0])):
            yield makers, readers
            makers, readers = [], []
        makers += [first.project, *(block.project for block in others)]
        readers += others
    if supernet.head is not None:
        yield makers, [*readers, supernet.head]
        makers, readers = [supernet.head], []
    yield makers, [*readers, supernet.dense]


def _blocks(supernet: Supernet) -> Iterator[ElasticBlock]:
    return (module for module in supernet.modules() if isinstance(module, ElasticBlock))


def _channels(convolution: ElasticConvolution) -> int:
    return convolution.weight.shape[0]


def _read(reader: ElasticBlock | ElasticConvolution | nn.Linear) -> torch.Tensor:
    """How large the weights are that each channel is read with."""
    if isinstance(reader, ElasticBlock):
        is_read = reader.expand if reader.is_expanding else None
        return _read(is_read or reader.project)
    return reader.weight.abs().sum([axis for axis in range(reader.weight.dim()) if axis != 1])


def _permute_sources(reader: ElasticBlock | ElasticConvolution | nn.Linear, order: torch.Tensor) -> None:
    if isinstance(reader, nn.Linear):
        reader.weight.copy_(reader.weight[:, order])
    elif isinstance(reader, ElasticConvolution):
        reader.permute_sources(order)
    else:
        if reader.expand is not None:
            reader.expand.permute_sources(order)
        if not reader.is_expanding:
            reader.depthwise.permute(order)
            reader.project.permute_sources(order)


def _by_importance(norms: torch.Tensor) -> torch.Tensor:
    return torch.argsort(norms, descending=True, stable=True)
