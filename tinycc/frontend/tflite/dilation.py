"""Dilated convolutions as Keras writes them: SPACE_TO_BATCH_ND, a convolution, BATCH_TO_SPACE_ND.

The first cuts the image into interleaved ones, the last puts them together again. What stands between is
done on the whole image: a convolution without padding becomes a dilated one, what looks at one pixel at a
time stays as it is, SPACE_TO_BATCH_ND becomes PAD. As all of that commutes with shifts, cropping the result
is padding less.
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tflite

from tinycc.frontend.tflite.file import FileOperator, FileTensor, TfliteFile

_POINTWISE = frozenset({
    "ABS", "ADD", "DIV", "ELU", "HARD_SWISH", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MINIMUM", "MUL", "PRELU",
    "QUANTIZE", "RELU", "RELU6", "RELU_N1_TO_1", "SUB", "TANH",
})  # fmt: skip
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")
Axes = tuple[int | None, ...]
_RESHAPES = ("EXPAND_DIMS", "RESHAPE", "SQUEEZE")


@dataclass(frozen=True)
class DilatedOptions:
    """A convolution's options with other dilation factors."""

    options: Any
    factors: tuple[int, int]

    def __getattr__(self, name: str) -> Any:
        """Whatever else the options have."""
        return getattr(self.options, name)

    def DilationHFactor(self) -> int:  # noqa: N802 (the schema's name)
        """Between rows of the kernel."""
        return self.factors[0]

    def DilationWFactor(self) -> int:  # noqa: N802 (the schema's name)
        """Between columns of the kernel."""
        return self.factors[1]


@dataclass(frozen=True)
class _Region:
    """From a SPACE_TO_BATCH_ND to its BATCH_TO_SPACE_ND.

    operators: all of them, in order. tensors: what each but the last makes. axes: of each of these tensors,
    for each axis between batch and channels the image's axis that is cut there, None for one of size 1.
    blocks: into how many parts each of the image's axes is cut. widths, crops: what is added and cropped
    before and after it.
    """

    operators: tuple[FileOperator, ...]
    tensors: tuple[FileTensor, ...]
    axes: tuple[Axes, ...]
    blocks: list[int]
    widths: np.ndarray
    crops: np.ndarray

    def steps(self, axes: Axes) -> list[int]:
        """How many pixels of the whole image one step along each of `axes` is."""
        return [1 if axis is None else self.blocks[axis] for axis in axes]

    def whole(self, tensor: FileTensor, axes: Axes) -> tuple[int, ...]:
        """The shape of a tensor of the region on the whole image."""
        batch, *sizes, channels = tensor.shape
        cropped = [0 if axis is None else int(self.crops[axis].sum()) for axis in axes]
        middle = [
            size * step - less for size, step, less in zip(sizes, self.steps(axes), cropped, strict=True)
        ]
        return (batch // math.prod(self.blocks), *middle, channels)


def join_dilated(file: TfliteFile) -> TfliteFile:
    """The file with dilated convolutions wherever operators are as above; all else is as it was."""
    for op in file.operators:
        if op.kind == "SPACE_TO_BATCH_ND" and (region := _region(file, op)) is not None:
            file = _joined(file, region)
    return file


def _region(file: TfliteFile, first: FileOperator) -> _Region | None:
    """What begins with `first`, or None where it is not as described above."""
    operators, tensors = [first], [file.tensors[first.outputs[0]]]
    axes: list[Axes] = [tuple(range(len(tensors[0].shape) - 2))]
    while operators[-1].kind != "BATCH_TO_SPACE_ND":
        readers = [op for op in file.operators if tensors[-1].index in op.inputs]
        if len(readers) != 1 or tensors[-1].index in file.outputs:
            return None
        operators += readers
        if readers[0].kind != "BATCH_TO_SPACE_ND":
            after = _axes_after(file, readers[0], tensors[-1], axes[-1])
            if after is None:
                return None
            tensors.append(file.tensors[readers[0].outputs[0]])
            axes.append(after)
    blocks, widths = (file.tensors[index].value for index in first.inputs[1:])
    joined, crops = (file.tensors[index].value for index in operators[-1].inputs[1:])
    if blocks is None or widths is None or joined is None or crops is None or axes[-1] != axes[0]:
        return None
    if blocks.tolist() != joined.tolist() or np.any(crops > widths):
        return None
    return _Region(tuple(operators), tuple(tensors), tuple(axes), blocks.tolist(), widths, crops)


def _axes_after(file: TfliteFile, op: FileOperator, source: FileTensor, axes: Axes) -> Axes | None:
    """The axes of what `op` makes of `source`; None for an operator that would look at other neighbours."""
    others = [file.tensors[index] for index in op.inputs if index >= 0 and index != source.index]
    if any(other.value is None for other in others):
        return None
    if op.kind in _CONVOLUTIONS and others and len(source.shape) == 4:
        is_unpadded = op.options.Padding() == tflite.Padding.VALID or others[0].shape[1:3] == (1, 1)
        return axes if is_unpadded and op.options.StrideH() == op.options.StrideW() == 1 else None
    if op.kind in _POINTWISE:
        by_channel = [math.prod(other.shape) in (1, *other.shape[-1:]) for other in others]
        return axes if all(by_channel) else None
    if op.kind in _RESHAPES:
        return _reshaped(source.shape, file.tensors[op.outputs[0]].shape, axes)
    return None


def _reshaped(before: tuple[int, ...], after: tuple[int, ...], axes: Axes) -> Axes | None:
    """The axes where one of size 1 is put in or taken out between batch and channels."""
    for at in range(1, max(len(before), len(after)) - 1):
        if before == after[:at] + after[at + 1 :] and after[at] == 1:
            return (*axes[: at - 1], None, *axes[at - 1 :])
        if after == before[:at] + before[at + 1 :] and axes[at - 1] is None:
            return (*axes[: at - 1], *axes[at:])
    return None


def _joined(file: TfliteFile, region: _Region) -> TfliteFile:
    """The file with the operators of a region on the whole image."""
    tensors = list(file.tensors)

    def constant(value: list[Any]) -> int:
        """The index of a new tensor of int32."""
        array, index, empty = np.array(value, np.int32), len(tensors), np.empty(0)
        tensors.append(FileTensor(index, "", array.shape, "int32", 0, array, empty, empty, 0, False))
        return index

    whole = [region.whole(tensor, axes) for tensor, axes in zip(region.tensors, region.axes, strict=True)]
    for tensor, shape in zip(region.tensors, whole, strict=True):
        tensors[tensor.index] = replace(tensor, shape=shape)
    first, last = region.operators[0], region.operators[-1]
    less = (region.widths - region.crops).tolist()
    widths = constant([[0, 0], *less, [0, 0]])
    changed = {first.index: replace(first, kind="PAD", inputs=(first.inputs[0], widths), options=None)}
    for op, axes, shape in zip(region.operators[1:-1], region.axes[:-1], whole[1:], strict=True):
        if op.kind in _CONVOLUTIONS:
            own = (op.options.DilationHFactor(), op.options.DilationWFactor())
            row, column = (step * factor for step, factor in zip(region.steps(axes), own, strict=True))
            changed[op.index] = replace(op, options=DilatedOptions(op.options, (row, column)))
        elif op.kind in _RESHAPES:
            inputs = (op.inputs[0], constant(list(shape)))
            changed[op.index] = replace(op, kind="RESHAPE", inputs=inputs, options=None)
    writer = region.operators[-2]
    changed[writer.index] = replace(changed.get(writer.index, writer), outputs=last.outputs)
    operators = [changed.get(op.index, op) for op in file.operators if op.index != last.index]
    return replace(file, tensors=tuple(tensors), operators=tuple(operators))
