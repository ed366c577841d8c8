"""Transposes and slices: a tensor read with other strides."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from tvm import relax
from tvm.relax.dpl import is_op, wildcard
from tvm.relax.transform import FusionPattern

from tinycc.ops.base import KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.tensor import Tensor

_RANK = 4


@dataclass(frozen=True, eq=False)
class StridedCopy(Operator):
    """out[i][j][k][l] = in[first + i*s0 + j*s1 + k*s2 + l*s3], on int8 or int16.

    dimensions, strides: four each; strides in elements, negative where a slice runs backwards.
    """

    first: int
    dimensions: tuple[int, ...]
    strides: tuple[int, ...]
    what: str

    kind: ClassVar[str] = "strided_copy"

    @classmethod
    def patterns(cls) -> list[FusionPattern]:
        """permute_dims(x) and strided_slice(x) of integers."""
        patterns = []
        for dtype in ("int8", "int16"):
            source = wildcard().has_dtype(dtype)
            sliced = is_op("relax.strided_slice")(source, wildcard(), wildcard(), wildcard(), wildcard())
            patterns.append(FusionPattern("tinycc.strided_copy", is_op("relax.permute_dims")(source)))
            patterns.append(FusionPattern("tinycc.strided_copy", sliced))
        return patterns

    @classmethod
    def from_composite(cls, composite: Composite) -> "StridedCopy":
        """Derive strides from the axes or the slice."""
        permuted = composite.has("relax.permute_dims")
        call = composite.call("relax.permute_dims" if permuted else "relax.strided_slice")
        source, output = composite.tensor(call.args[0]), composite.result()
        own = np.append(np.cumprod(source.shape[::-1])[::-1][1:], 1).astype(int)
        if permuted:
            first = 0
            strides = own[[int(axis) for axis in call.attrs.axes]]
        else:
            first, strides = _slice(composite, call, source, own)
        dimensions, merged = _merge(list(output.shape), [int(stride) for stride in strides])
        if len(dimensions) > _RANK:
            raise ValueError(f"a copy of {len(dimensions)} dimensions is not supported")
        fill = _RANK - len(dimensions)
        return cls(
            inputs=(source,),
            outputs=(output,),
            first=first,
            dimensions=(1,) * fill + tuple(dimensions),
            strides=(0,) * fill + tuple(merged),
            what="transpose" if permuted else "slice",
        )

    def kernel(self) -> KernelCall:
        """The whole tensor at once."""
        source, output = self.inputs[0], self.outputs[0]
        shape = {"first": self.first}
        for axis in range(_RANK):
            shape[f"size{axis}"] = self.dimensions[axis]
            shape[f"stride{axis}"] = self.strides[axis]
        return KernelCall(
            header="strided_copy.h",
            function=f"tinycc_strided_copy_{source.dtype}",
            struct="tinycc_strided_copy",
            shape=shape,
            data={"zero": 0},
            windows=(RowWindow.whole(source),),
            rows=1,
            columns=1,
            row_elements=output.elements,
        )

    def describe(self) -> str:
        """Whether it is a transpose or a slice."""
        return self.what


def _slice(composite: Composite, call: relax.Call, source: Tensor, own: np.ndarray) -> tuple[int, np.ndarray]:
    """First element and strides of a strided_slice."""
    axes, begins, _, steps = (
        [int(item.value) for item in composite.resolve(argument).fields] for argument in call.args[1:5]
    )
    first = 0
    strides = own.copy()
    for axis, begin, step in zip(axes, begins, steps, strict=True):
        size = source.shape[axis]
        start = begin + size if begin < 0 else begin
        first += min(max(start, 0), size - 1) * int(own[axis])
        strides[axis] *= step
    return first, strides


def _merge(dimensions: list[int], strides: list[int]) -> tuple[list[int], list[int]]:
    """Drop dimensions of 1 and join neighbours that are one run of memory."""
    sizes: list[int] = []
    steps: list[int] = []
    for size, stride in zip(dimensions, strides, strict=True):
        if size == 1:
            continue
        if sizes and steps[-1] == size * stride:
            sizes[-1] *= size
            steps[-1] = stride
        else:
            sizes.append(size)
            steps.append(stride)
    return sizes, steps
