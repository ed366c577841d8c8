"""Draws of operators that move, choose and join numbers, in the quantization of their input.

Each adds one operator with tensors of its own to a RandomModel.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.tools.random_model import RandomModel, Shape

Draw = Callable[[RandomModel], None]
IMAGE: Shape = (1, 9, 8, 6)
PADDED = ((0, 0), (1, 2), (3, 0), (0, 1))
_PADDED_SHAPE: Shape = (1, 12, 11, 7)


def _moved(
    kind: str, options: str, result: Shape, *constants: Any, shape: Shape = IMAGE, **fields: Any
) -> Draw:
    """An operator whose further operands are constants of int32: axes, sizes, paddings."""

    def draw(model: RandomModel) -> None:
        x = model.input(shape)
        y = model.output(result, x.scale, x.zero_point)
        model.add(kind, [x, *map(model.integers, constants)], [y], options, **fields)

    return draw


def _padded_by_number(model: RandomModel) -> None:
    x = model.input(IMAGE)
    number = model.tensor(
        (), model.dtype, x.scale, zero_point=x.zero_point, data=model.values((1,), model.dtype)[0]
    )
    y = model.output(_PADDED_SHAPE, x.scale, x.zero_point)
    model.add("PADV2", [x, model.integers(PADDED), number], [y], "PadV2Options")


def resized(kind: str, options: str) -> Draw:
    def draw(model: RandomModel) -> None:
        x = model.input((1, 5, 7, 3))
        size = model.choose((10, 14), (9, 13), (3, 4), (11, 6))
        corners, half = model.choose((False, False), (True, False), (False, True))
        y = model.output((1, *size, 3), x.scale, x.zero_point)
        model.add(kind, [x, model.integers(size)], [y], options, AlignCorners=corners, HalfPixelCenters=half)

    return draw


def _transposed_axes(model: RandomModel) -> None:
    """TRANSPOSE, and a RESHAPE that keeps it from becoming the layout of an output."""
    x = model.input(IMAGE)
    axes = model.choose((0, 3, 1, 2), (0, 2, 1, 3), (0, 3, 2, 1))
    between = model.tensor(tuple(IMAGE[axis] for axis in axes), model.dtype, x.scale, zero_point=x.zero_point)
    y = model.output((1, 432), x.scale, x.zero_point)
    model.add("TRANSPOSE", [x, model.integers(axes)], [between], "TransposeOptions")
    model.add("RESHAPE", [between, model.integers(y.shape)], [y], "ReshapeOptions")


def _joined(kind: str, options: str, shape: Shape) -> Draw:
    """CONCATENATION and PACK of tensors in one quantization."""

    def draw(model: RandomModel) -> None:
        x = model.input(IMAGE)
        others = [model.input(IMAGE, x.scale, x.zero_point) for _ in range(2)]
        fields = {"ValuesCount": 3} if kind == "PACK" else {}
        model.add(kind, [x, *others], [model.output(shape, x.scale, x.zero_point)], options, Axis=2, **fields)

    return draw


def _parted(kind: str) -> Draw:
    """SPLIT, SPLIT_V and UNPACK."""

    def draw(model: RandomModel) -> None:
        x = model.input((1, 9, 2, 6))
        shape = (1, 9, 6) if kind == "UNPACK" else (1, 9, 1, 6)
        parts = [model.output(shape, x.scale, x.zero_point) for _ in range(2)]
        if kind == "UNPACK":
            model.add(kind, [x], parts, "UnpackOptions", Num=2, Axis=2)
        elif kind == "SPLIT":
            model.add(kind, [model.integers(2), x], parts, "SplitOptions", NumSplits=2)
        else:
            sizes = [model.integers([1, 1]), model.integers(2)]
            model.add(kind, [x, *sizes], parts, "SplitVOptions", NumSplits=2)

    return draw


def _embedded(kind: str) -> Draw:
    """GATHER and EMBEDDING_LOOKUP of constant rows by indices that are given."""

    def draw(model: RandomModel) -> None:
        indices = model.tensor((7,), "int32")
        model.sources.append(indices.index)
        model.inputs.append(model.generator.integers(0, 20, 7).astype(np.int32))
        scale, zero_point = model.scale(), model.zero_point()
        data = model.values((20, 6), model.dtype)
        rows = model.tensor(data.shape, model.dtype, scale, zero_point=zero_point, data=data)
        between = model.tensor((7, 6), model.dtype, scale, zero_point=zero_point)
        y = model.output((1, 42), scale, zero_point)
        if kind == "GATHER":
            model.add(kind, [rows, indices], [between], "GatherOptions", Axis=0)
        else:
            model.add(kind, [indices, rows], [between])
        model.add("RESHAPE", [between, model.integers(y.shape)], [y], "ReshapeOptions")

    return draw


def _selected(model: RandomModel) -> None:
    """SELECT_V2 by a constant, which may be broadcast."""
    x, shape = model.input(IMAGE), model.choose(IMAGE, (1, 9, 1, 1), (6,))
    data = model.generator.integers(0, 2, shape).astype(bool)
    condition = model.tensor(shape, "bool", data=data)
    y = model.input(model.choose(IMAGE, (1, 1, 8, 1)), x.scale, x.zero_point)
    model.add("SELECT_V2", [condition, x, y], [model.output(IMAGE, x.scale, x.zero_point)], "SelectV2Options")


def _shape(model: RandomModel) -> None:
    """What Keras writes for a flatten: RESHAPE to the SHAPE's first number and -1."""
    x = model.input(IMAGE)
    sizes, first, target = (model.tensor(shape, "int32") for shape in ((4,), (), (2,)))
    y = model.output((1, 432), x.scale, x.zero_point)
    model.add("SHAPE", [x], [sizes], "ShapeOptions", OutType=2)
    cuts = [model.integers([number]) for number in (0, 1, 1)]
    model.add("STRIDED_SLICE", [sizes, *cuts], [first], "StridedSliceOptions", ShrinkAxisMask=1)
    model.add("PACK", [first, model.integers(-1)], [target], "PackOptions", ValuesCount=2)
    model.add("RESHAPE", [x, target], [y], "ReshapeOptions")


MOVEMENT: dict[str, Draw] = {
    "BROADCAST_TO": _moved("BROADCAST_TO", "", (1, 9, 8, 6), (1, 9, 8, 6), shape=(1, 1, 8, 6)),
    "DEPTH_TO_SPACE": _moved(
        "DEPTH_TO_SPACE", "DepthToSpaceOptions", (1, 6, 8, 2), shape=(1, 3, 4, 8), BlockSize=2
    ),
    "GATHER": _moved("GATHER", "GatherOptions", (1, 9, 3, 6), (5, 0, 5), Axis=2),
    "GATHER by an input": _embedded("GATHER"),
    "GATHER_ND": _moved("GATHER_ND", "GatherNdOptions", (1, 2, 6), [[[0, 5, 7], [0, 8, 0]]]),
    "EMBEDDING_LOOKUP": _embedded("EMBEDDING_LOOKUP"),
    "REDUCE_MAX": _moved("REDUCE_MAX", "ReducerOptions", (1, 1, 1, 6), (1, 2), KeepDims=True),
    "REDUCE_MIN": _moved("REDUCE_MIN", "ReducerOptions", (1, 1, 1, 6), (1, 2), KeepDims=True),
    "REVERSE_V2": _moved("REVERSE_V2", "ReverseV2Options", IMAGE, (2,)),
    "SPACE_TO_DEPTH": _moved(
        "SPACE_TO_DEPTH", "SpaceToDepthOptions", (1, 3, 4, 8), shape=(1, 6, 8, 2), BlockSize=2
    ),
    "TILE": _moved("TILE", "TileOptions", (1, 18, 8, 6), (1, 2, 1, 1)),
    "CONCATENATION": _joined("CONCATENATION", "ConcatenationOptions", (1, 9, 24, 6)),
    "EXPAND_DIMS": _moved("EXPAND_DIMS", "", (1, 9, 1, 8, 6), 2),
    "MIRROR_PAD": _moved("MIRROR_PAD", "MirrorPadOptions", _PADDED_SHAPE, PADDED, Mode=0),
    "MIRROR_PAD symmetric": _moved("MIRROR_PAD", "MirrorPadOptions", _PADDED_SHAPE, PADDED, Mode=1),
    "PACK": _joined("PACK", "PackOptions", (1, 9, 3, 8, 6)),
    "PAD": _moved("PAD", "PadOptions", _PADDED_SHAPE, PADDED),
    "PADV2": _padded_by_number,
    "RESHAPE": _moved("RESHAPE", "ReshapeOptions", (1, 72, 6), (1, 72, 6)),
    "RESIZE_NEAREST_NEIGHBOR": resized("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions"),
    "SELECT_V2": _selected,
    "SHAPE": _shape,
    "SLICE": _moved("SLICE", "SliceOptions", (1, 5, 7, 2), (0, 2, 1, 3), (1, 5, -1, 2)),
    "SPLIT": _parted("SPLIT"),
    "SPLIT_V": _parted("SPLIT_V"),
    "SQUEEZE": _moved("SQUEEZE", "SqueezeOptions", (1, 9, 6), shape=(1, 9, 1, 6), SqueezeDims=[2]),
    "STRIDED_SLICE": _moved(
        "STRIDED_SLICE", "StridedSliceOptions", (1, 4, 6, 2), (0, 1, 2, 0), (1, 8, 8, 6), (1, 2, 1, 3)
    ),
    "STRIDED_SLICE backwards": _moved(
        "STRIDED_SLICE", "StridedSliceOptions", (1, 4, 3, 3), (0, 8, -2, 5), (1, 1, 1, -9), (1, -2, -2, -2)
    ),
    "TRANSPOSE": _transposed_axes,
    "UNPACK": _parted("UNPACK"),
}
