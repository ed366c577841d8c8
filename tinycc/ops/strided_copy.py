"""Transposes and slices: a tensor read with other strides."""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from tvm import relax
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc import tvm_adapter
from tinycc.ops.base import MOVED_TYPES, ElementTypes, Operator
from tinycc.ops.composite import Composite
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import RowCall
from tinycc.ops.room import Room
from tinycc.ops.row_window import ColumnWindow, RowWindow

_RANK = 4
# Of whatever a model moves without reading it.
_COPIED_TYPES = (*MOVED_TYPES, "int32")


@dataclass(frozen=True)
class _Strides:
    """Elements first + i0 * steps[0] + i1 * steps[1] + ..., the last index running fastest."""

    first: int
    sizes: tuple[int, ...]
    steps: tuple[int, ...]

    def merged(self) -> "_Strides":
        """The same without dimensions of 1, neighbours joined that are one run of memory."""
        sizes: list[int] = []
        steps: list[int] = []
        for size, step in zip(self.sizes, self.steps, strict=True):
            if size == 1:
                continue
            if sizes and steps[-1] == size * step:
                sizes[-1] *= size
                steps[-1] = step
            else:
                sizes.append(size)
                steps.append(step)
        return _Strides(self.first, tuple(sizes), tuple(steps))

    def split(self, count: int) -> "tuple[int, _Strides] | None":
        """The elements as `count` equal parts: the step from one to the next, and the first of them.

        None where parts do not follow each other at one step.
        """
        outer, inner, left = [], [], count
        for size, step in zip(self.sizes, self.steps, strict=True):
            common = min(size, left)
            if size % common or left % common:
                return None
            left //= common
            outer.append((common, step * (size // common)))
            inner.append((size // common, step))
        parts = _Strides(0, *zip(*outer, strict=True)).merged() if outer else _Strides(0, (), ())
        if left > 1 or len(parts.sizes) > 1:
            return None
        rest = _Strides(self.first, *zip(*inner, strict=True)).merged() if inner else self
        return (parts.steps[0] if parts.steps else 0), rest

    def within(self, size: int) -> "tuple[int, _Strides] | None":
        """Which run of `size` elements all of them lie in, and where there; None where in several."""
        ends = [(count - 1) * step for count, step in zip(self.sizes, self.steps, strict=True)]
        low = self.first + sum(min(end, 0) for end in ends)
        high = self.first + sum(max(end, 0) for end in ends)
        run = low // size
        if high // size != run:
            return None
        return run, _Strides(self.first - run * size, self.sizes, self.steps)


@dataclass(frozen=True, eq=False)
class StridedCopy(Operator):
    """A tensor whose elements are those of another, read with strides.

    elements: which of the input's, in the order of the output; negative steps where a slice runs backwards.
    """

    elements: _Strides
    what: str

    kind: ClassVar[str] = "strided_copy"
    element_types: ClassVar[ElementTypes] = frozenset((dtype, dtype) for dtype in _COPIED_TYPES)

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """permute_dims(x), between two reshapes, too (channels are shuffled so), and strided_slice(x)."""
        patterns = []
        for dtype in MOVED_TYPES:
            source = wildcard().has_dtype(dtype)
            whole = is_op("relax.permute_dims")(source)
            parts = is_op("relax.permute_dims")(is_op("relax.reshape")(source, wildcard()))
            # Begins and ends are given, strides may be.
            slices = [
                is_op("relax.strided_slice")(source, *(wildcard() for _ in range(count))) for count in (3, 4)
            ]
            shuffled = is_op("relax.reshape")(parts, wildcard())
            patterns += [FusionPattern("tinycc.strided_copy", item) for item in (shuffled, whole, *slices)]
        return patterns

    @classmethod
    def from_composite(cls, composite: Composite) -> "StridedCopy":
        """Derive strides from the axes or the slice."""
        permuted = composite.has("relax.permute_dims")
        call = composite.call("relax.permute_dims" if permuted else "relax.strided_slice")
        shape = tvm_adapter.shape_of(call.args[0])
        own = np.append(np.cumprod(shape[::-1])[::-1][1:], 1).astype(int)[: len(shape)]
        source, output = composite.tensor(composite.function.params[0]), composite.result()
        if permuted:
            first, sizes = 0, [shape[int(axis)] for axis in call.attrs.axes]
            steps = own[[int(axis) for axis in call.attrs.axes]]
        else:
            first, steps = _slice(composite, call, shape, own)
            sizes = list(output.shape)
        elements = _Strides(first, tuple(sizes), tuple(int(step) for step in steps)).merged()
        if len(elements.sizes) > _RANK + 1:
            raise ValueError(f"a copy of {len(elements.sizes)} dimensions is not supported")
        return cls((source,), (output,), elements, "transpose" if permuted else "slice")

    def is_run(self, first: int, end: int) -> bool:
        """Whether the output is the run of the input's elements [first, end)."""
        return self.elements.merged() == _Strides(first, (end - first,), (1,)).merged()

    def describe(self) -> str:
        """Whether it is a transpose or a slice."""
        return self.what


def _slice(
    composite: Composite, call: relax.Call, shape: tuple[int, ...], own: np.ndarray
) -> tuple[int, np.ndarray]:
    """First element and strides of a strided_slice."""
    axes, begins, _, *given = (
        [int(item.value) for item in composite.resolve(argument).fields] for argument in call.args[1:]
    )
    first = 0
    strides = own.copy()
    for axis, begin, step in zip(axes, begins, given[0] if given else [1] * len(axes), strict=True):
        size = shape[axis]
        start = begin + size if begin < 0 else begin
        first += min(max(start, 0), size - 1) * int(own[axis])
        strides[axis] *= step
    return first, strides


class PortableStridedCopy(Kernel[StridedCopy]):
    """On any core."""

    def call(self, view: StridedCopy) -> RowCall:
        """The whole tensor at once; the first of five dimensions is that of columns."""
        window, elements = RowWindow.whole(view.inputs[0]), view.elements
        if len(elements.sizes) <= _RANK:
            return _call(view, elements, window, column_step=0, columns=1, pixel_columns=1)
        column = _Strides(elements.first, elements.sizes[1:], elements.steps[1:])
        columns, step = elements.sizes[0], elements.steps[0]
        return _call(view, column, window, column_step=step, columns=columns, pixel_columns=1)

    def row_call(self, view: StridedCopy) -> RowCall | None:
        """Where each row of the output is made of one row of the input, further down for each.

        Pixel by pixel where each pixel is made of one of the input's, further right for each.
        """
        source, output = view.inputs[0], view.outputs[0]
        rows = view.elements.split(output.height)
        row_elements = source.width * source.channels
        inside = rows[1].within(row_elements) if rows else None
        if rows is None or inside is None or rows[0] % row_elements or rows[0] < 0:
            return None
        window = RowWindow(source.height, row_elements, stride=rows[0] // row_elements, pad_top=-inside[0])
        pixels = inside[1].split(output.width)
        pixel = pixels[1].within(source.channels) if pixels else None
        if pixels is None or pixel is None or pixels[0] % source.channels or pixels[0] < 0:
            return _call(view, inside[1], window, column_step=0, columns=1, pixel_columns=0)
        step = pixels[0] // source.channels
        columns = ColumnWindow(source.width, stride=step, pad_left=-pixel[0])
        return _call(
            view,
            pixels[1],
            replace(window, columns=columns),
            column_step=pixels[0],
            columns=output.width,
            pixel_columns=1,
        )


def _call(
    view: StridedCopy,
    elements: _Strides,
    window: RowWindow,
    *,
    column_step: int,
    columns: int,
    pixel_columns: int,
) -> RowCall:
    """A call for rows of `columns` equal parts, the elements of the first of which are given.

    column_step: from one to the next in the input.
    """
    output = view.outputs[0]
    fill = _RANK - len(elements.sizes)
    sizes, steps = (1,) * fill + elements.sizes, (0,) * fill + elements.steps
    shape = {"first": elements.first, "column_stride": column_step}
    for axis in range(_RANK):
        shape[f"size{axis}"] = sizes[axis]
        shape[f"stride{axis}"] = steps[axis]
    return RowCall(
        header="strided_copy.h",
        function=f"tinycc_strided_copy_{output.dtype}",
        struct="tinycc_strided_copy",
        shape=shape,
        data={"zero": 0},
        windows=(window,),
        rows=output.elements // (columns * math.prod(elements.sizes)),
        columns=columns,
        row_elements=columns * math.prod(elements.sizes),
        pixel_columns=pixel_columns,
    )


ROOM = Room(StridedCopy, (PortableStridedCopy(),))
