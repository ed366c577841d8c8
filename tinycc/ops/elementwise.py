"""What elementwise operators of two inputs have in common: broadcasting and overlap."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from tinycc.ops.base import ColumnWindow, KernelCall, Operator, RowWindow
from tinycc.ops.composite import Composite
from tinycc.ops.fixed_point import activation_range
from tinycc.ops.tensor import ITEM_BYTES, Tensor


def _aligned(tensor: Tensor, rank: int) -> Tensor:
    """The tensor with leading dimensions of 1 up to `rank`."""
    shape = (1,) * (rank - len(tensor.shape)) + tensor.shape
    return Tensor(shape, tensor.dtype, tensor.scale, tensor.zero_point)


@dataclass(frozen=True, eq=False)
class Elementwise(Operator):
    """Two inputs with numpy's broadcasting, one output.

    Inputs may be constants. Equal shapes are taken as one row of single elements.

    output_range: clamp of the result.
    """

    output_range: tuple[int, int]

    header: ClassVar[str]

    @staticmethod
    def fields(composite: Composite, operator: str) -> dict[str, Any]:
        """The fields of this class, read from the call of `operator` and the quantize after it."""
        output = composite.result()
        bounds = activation_range(
            *composite.activation_bounds(), output.real_scale, output.zero_point, output.dtype
        )
        operands = tuple(composite.tensor(operand) for operand in composite.call(operator).args)
        return {"inputs": operands, "outputs": (output,), "output_range": bounds}

    @property
    def is_flat(self) -> bool:
        """Whether no input is broadcast."""
        return all(tensor.elements == self.outputs[0].elements for tensor in self.inputs)

    @property
    def is_channelwise(self) -> bool:
        """Where no channel is broadcast."""
        return all(tensor.channels == self.outputs[0].channels for tensor in self.inputs)

    @property
    def combined(self) -> Callable[[int, int], int] | None:
        """The result, less its zero point and not clamped, of an int8 number of each input less its own.

        None where nothing computes it at compile time.
        """
        return None

    def evaluated(self) -> np.ndarray | None:
        """int8, element by element."""
        output, function = self.outputs[0], self.combined
        operands = [
            tensor.value.astype(np.int64) - tensor.zero_point
            for tensor in self.inputs
            if tensor.value is not None
        ]
        if function is None or output.dtype != "int8" or len(operands) < len(self.inputs):
            return None
        results = np.frompyfunc(function, 2, 1)(*operands)
        return np.clip(np.asarray(results, np.int64) + output.zero_point, *self.output_range).astype(np.int8)

    def overlap_distance(self, index: int) -> int | None:
        """An element is written once both its operands are read, so in place is free."""
        source, output = self.inputs[index], self.outputs[0]
        same = source.elements == output.elements and ITEM_BYTES[source.dtype] == ITEM_BYTES[output.dtype]
        return 0 if same else None

    def elementwise_call(
        self, function: str, struct: str, data: dict[str, int | float | np.ndarray]
    ) -> KernelCall:
        """The kernel call, with strides that express the broadcasting."""
        output = self.outputs[0]
        rank = max(len(output.shape), 2)
        target = _aligned(output, rank)
        channels = 1 if self.is_flat else target.channels
        shape = {"channels": channels}
        windows = []
        for letter, tensor in zip("ab", self.inputs, strict=True):
            if self.is_flat:
                shape |= {f"{letter}_pixel_stride": 1, f"{letter}_channel_stride": 1}
                windows.append(RowWindow.whole(tensor))
                continue
            source = _aligned(tensor, rank)
            if source.height not in (1, target.height):
                raise ValueError(f"broadcasting {tensor} to {output} repeats some rows and not others")
            shape[f"{letter}_pixel_stride"] = source.channels if source.width > 1 else 0
            # Of single channels pixels are the runs that kernels take at once.
            is_row = channels == 1 and source.width > 1
            shape[f"{letter}_channel_stride"] = 1 if source.channels > 1 or is_row else 0
            windows.append(
                RowWindow(
                    input_rows=source.height,
                    row_elements=source.width * source.channels,
                    stride=1 if source.height > 1 else 0,
                    columns=ColumnWindow(source.width) if source.width > 1 else None,
                )
            )
        return KernelCall(
            header=self.header,
            function=f"{function}_{output.dtype}",
            struct=struct,
            shape=shape,
            data=data,
            windows=tuple(windows),
            rows=1 if self.is_flat else target.height,
            columns=output.elements if self.is_flat else target.width,
            row_elements=output.elements if self.is_flat else target.width * channels,
            is_flat=self.is_flat,
        )
