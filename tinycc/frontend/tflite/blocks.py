"""TFLite operators that move blocks of pixels into channels or into the batch, and back, on the integers.

All of them split axes, change the order of the parts, and join them.
"""

import math
from collections.abc import Sequence

from tvm import relax

from tinycc import tvm_adapter
from tinycc.errors import ModelError
from tinycc.frontend.tflite.base import BaseConverter
from tinycc.frontend.tflite.file import FileOperator


def _rearranged(
    converter: BaseConverter,
    value: relax.Expr,
    parts: Sequence[int],
    order: Sequence[int],
    shape: Sequence[int],
) -> relax.Expr:
    """`value` split into `parts`, these in another order, joined to `shape`."""
    split = converter.bb.emit(relax.op.reshape(value, parts))
    return relax.op.reshape(converter.bb.emit(relax.op.permute_dims(split, order)), shape)


def space_to_batch(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """SPACE_TO_BATCH_ND: pixel p of a block becomes image p of the batch, after padding by the zero point."""
    source = converter.file.tensors[op.inputs[0]]
    blocks, widths = _blocks(converter, op)
    flat = [0, 0, *(width for pair in widths for width in pair), 0, 0]
    padded = converter.bb.emit(
        relax.op.nn.pad(converter.operand(source.index), flat, "constant", source.zero_point)
    )
    batch, *sizes, channels = tvm_adapter.shape_of(padded)
    if any(size % block for size, block in zip(sizes, blocks, strict=True)):
        raise ModelError(f"{op.title} cuts {sizes} pixels into blocks of {blocks}")
    small = [size // block for size, block in zip(sizes, blocks, strict=True)]
    parts = [batch, *(part for pair in zip(small, blocks, strict=True) for part in pair), channels]
    count = len(blocks)
    order = [*range(2, 2 * count + 1, 2), 0, *range(1, 2 * count + 1, 2), 2 * count + 1]
    return _rearranged(converter, padded, parts, order, [math.prod(blocks) * batch, *small, channels])


def batch_to_space(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """BATCH_TO_SPACE_ND: the reverse, after which the image is cropped."""
    source = converter.file.tensors[op.inputs[0]]
    blocks, crops = _blocks(converter, op)
    images, *small, channels = source.shape
    batch = images // math.prod(blocks)
    if batch * math.prod(blocks) != images:
        raise ModelError(f"{op.title} joins {images} images by blocks of {blocks}")
    count = len(blocks)
    order = [count, *(axis for pair in range(count) for axis in (count + 1 + pair, pair)), 2 * count + 1]
    sizes = [size * block for size, block in zip(small, blocks, strict=True)]
    joined = _rearranged(
        converter, converter.operand(source.index), [*blocks, batch, *small, channels], order,
        [batch, *sizes, channels],
    )  # fmt: skip
    begins = [before for before, _ in crops]
    ends = [size - after for size, (_, after) in zip(sizes, crops, strict=True)]
    if any(begin >= end for begin, end in zip(begins, ends, strict=True)):
        raise ModelError(f"{op.title} crops {crops} of {sizes} pixels")
    axes = list(range(1, count + 1))
    return relax.op.strided_slice(converter.bb.emit(joined), axes, begins, ends)


def _blocks(converter: BaseConverter, op: FileOperator) -> tuple[list[int], list[list[int]]]:
    """The block's sizes, and what is added or cropped before and after each of these axes."""
    blocks, widths = (converter.constant(index) for index in op.inputs[1:3])
    rank = len(converter.file.tensors[op.inputs[0]].shape)
    if rank not in (3, 4) or blocks.shape != (rank - 2,) or widths.shape != (rank - 2, 2):
        raise ModelError(f"{op.title} has blocks of shape {blocks.shape} for {rank} dimensions")
    if blocks.min() < 1 or widths.min() < 0:
        raise ModelError(f"{op.title} has the blocks {blocks.tolist()} and widths {widths.tolist()}")
    return blocks.tolist(), widths.tolist()


def depth_to_space(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """DEPTH_TO_SPACE: channels become blocks of pixels."""
    shape, block = converter.file.tensors[op.inputs[0]].shape, int(op.options.BlockSize())
    if len(shape) != 4 or shape[3] % (block * block):
        raise ModelError(f"{op.title} makes blocks of {block} x {block} pixels of the shape {shape}")
    batch, height, width, channels = shape
    rest = channels // (block * block)
    return _rearranged(
        converter, converter.operand(op.inputs[0]), [batch, height, width, block, block, rest],
        [0, 1, 3, 2, 4, 5], [batch, height * block, width * block, rest],
    )  # fmt: skip


def space_to_depth(converter: BaseConverter, op: FileOperator) -> relax.Expr:
    """SPACE_TO_DEPTH: blocks of pixels become channels."""
    shape, block = converter.file.tensors[op.inputs[0]].shape, int(op.options.BlockSize())
    if len(shape) != 4 or shape[1] % block or shape[2] % block:
        raise ModelError(f"{op.title} cuts the shape {shape} into blocks of {block} x {block} pixels")
    batch, height, width, channels = shape
    rows, columns = height // block, width // block
    return _rearranged(
        converter, converter.operand(op.inputs[0]), [batch, rows, block, columns, block, channels],
        [0, 1, 3, 2, 4, 5], [batch, rows, columns, block * block * channels],
    )  # fmt: skip
