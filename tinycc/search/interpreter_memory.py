"""What an architecture takes of SRAM under TFLite Micro: the arena of its interpreter.

Every activation is a whole tensor, placed by the interpreter's greedy planner; beside them lie, for good,
records of each tensor, node and output channel. Kernels are the reference kernels, which have a working
memory for means alone; those of CMSIS-NN have more, so the answer is the least that it needs.

Tests compare it with the arena of TFLite Micro itself on a 64-bit host, and with one measured on a Cortex-M4.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from tinycc.search.architecture import Architecture, Convolution, Dense, Depthwise, Layer, Mean, Residual

_ALIGNMENT = 16
# A multiplier and a shift of each output channel.
_CHANNEL_ARRAYS, _CHANNEL_BYTES = 2, 4
# Of the sum of each channel, and of an index for each axis: of the input, and of those that are summed.
_SUM_BYTES = 4
_INDEX_BYTES = (4 * 4, 2 * 4)


@dataclass(frozen=True)
class Records:
    """Sizes of what the interpreter keeps, in bytes, which depend on those of a pointer.

    fixed: whatever the model. edge: of an input and an output. tensor: of each tensor, constants among them.
    node: of each operator. convolution, depthwise, add, mean, dense: of its kernel and options.
    """

    fixed: int
    edge: int
    tensor: int
    node: int
    convolution: int
    depthwise: int
    add: int
    mean: int
    dense: int


# With pointers of four bytes, from the structures in TFLite Micro's headers; `fixed` is from measured arenas.
CORTEX_M = Records(
    fixed=360, edge=60, tensor=12, node=32, convolution=88, depthwise=92, add=72, mean=52, dense=64
)


@dataclass(frozen=True)
class Buffer:
    """Of `size` bytes, from the step that first writes it to the one that last reads it."""

    size: int
    first: int
    last: int


def interpreter_arena(architecture: Architecture, records: Records = CORTEX_M) -> int:
    """Bytes of SRAM of the whole arena."""
    return planned_bytes(_buffers(architecture)) + persistent_bytes(architecture, records)


def persistent_bytes(architecture: Architecture, records: Records = CORTEX_M) -> int:
    """Bytes of the arena that are never used for anything else."""
    tensors, total = 1, records.fixed + 2 * records.edge
    for index, layer in enumerate(architecture.layers):
        own, constants = _operator(layer, records)
        tensors += 1 + constants
        total += records.node + own
        if isinstance(layer, Convolution | Depthwise):
            channels = architecture.shapes[index][-1]
            total += _CHANNEL_ARRAYS * _aligned(_CHANNEL_BYTES * channels)
    return _aligned(total + tensors * records.tensor)


def planned_bytes(buffers: Sequence[Buffer]) -> int:
    """The end of the last buffer where each, the largest first, has the lowest place that is free.

    Of equal ones the later comes first.
    """
    placed: list[tuple[int, Buffer]] = []
    for _, buffer in sorted(enumerate(buffers), key=lambda item: (-item[1].size, -item[0])):
        beside = sorted(
            (offset, other.size)
            for offset, other in placed
            if other.first <= buffer.last and buffer.first <= other.last
        )
        place = 0
        for offset, size in beside:
            if offset - place >= buffer.size:
                break
            place = max(place, offset + size)
        placed.append((place, buffer))
    return max(offset + buffer.size for offset, buffer in placed)


def _buffers(architecture: Architecture) -> list[Buffer]:
    """Activations in order, then working memory; step i is layer i."""
    last = list(range(len(architecture.layers)))
    last.append(last[-1])
    for index, layer in enumerate(architecture.layers):
        if isinstance(layer, Residual):
            last[layer.of + 1] = index
    shapes = (architecture.input_shape, *architecture.shapes)
    made = [0, *range(len(architecture.layers))]
    buffers = [
        Buffer(_aligned(prod(shape)), first, end)
        for shape, first, end in zip(shapes, made, last, strict=True)
    ]
    for index, (layer, shape) in enumerate(zip(architecture.layers, architecture.shapes, strict=True)):
        if isinstance(layer, Mean):
            sizes = (_SUM_BYTES * prod(shape), *_INDEX_BYTES)
            buffers += [Buffer(_aligned(size), index, index) for size in sizes]
    return buffers


def _operator(layer: Layer, records: Records) -> tuple[int, int]:
    """Bytes of a layer's own, and how many constants it has."""
    match layer:
        case Convolution():
            return records.convolution, 2
        case Depthwise():
            return records.depthwise, 2
        case Dense():
            return records.dense, 2
        case Mean():
            return records.mean, 1
        case Residual():
            return records.add, 0


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
