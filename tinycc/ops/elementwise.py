"""What elementwise operators of two inputs have in common: broadcasting and overlap."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tinycc.ops.base import Operator
from tinycc.ops.channel_dependence import ChannelDependence
from tinycc.ops.composite import Composite
from tinycc.ops.evaluable import Evaluable
from tinycc.ops.fixed_point import activation_range
from tinycc.ops.kernel import Kernel
from tinycc.ops.kernel_call import Data, FlatCall, RowCall
from tinycc.ops.row_window import ColumnWindow, RowWindow
from tinycc.ops.tensor import ITEM_BYTES, Tensor


def _aligned(tensor: Tensor, rank: int) -> Tensor:
    """The tensor with leading dimensions of 1 up to `rank`."""
    shape = (1,) * (rank - len(tensor.shape)) + tensor.shape
    return Tensor(shape, tensor.dtype, tensor.scale, tensor.zero_point)


@dataclass(frozen=True, eq=False)
class Elementwise(ChannelDependence, Evaluable):
    """Two inputs with numpy's broadcasting, one output.

    Inputs may be constants. Equal shapes are taken as one row of single elements.

    output_range: clamp of the result.
    """

    output_range: tuple[int, int]

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
        return is_flat(self.inputs, self.outputs[0])

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


ElementwiseView = TypeVar("ElementwiseView", bound=Operator, contravariant=True)


class ElementwiseKernel(Kernel[ElementwiseView]):
    """A kernel of two inputs."""

    def overlap(self, view: ElementwiseView, index: int) -> int | None:
        """An element is written once both its operands are read, so in place is free."""
        source, output = view.inputs[index], view.outputs[0]
        same = source.elements == output.elements and ITEM_BYTES[source.dtype] == ITEM_BYTES[output.dtype]
        return 0 if same else None


@dataclass(frozen=True)
class BroadcastWindow:
    """An input that is broadcast.

    window: the rows that output rows need of it.
    pixel, channel: elements from one pixel, and one channel, to the next; 0 where it is the same one.
    """

    window: RowWindow
    pixel: int
    channel: int


def is_flat(inputs: Sequence[Tensor], output: Tensor) -> bool:
    """Whether no input is broadcast."""
    return all(tensor.elements == output.elements for tensor in inputs)


def broadcast_windows(inputs: Sequence[Tensor], output: Tensor) -> list[BroadcastWindow]:
    """How rows of the output read inputs; ValueError where those repeat some of their rows and not others."""
    rank = max(len(output.shape), 2)
    target = _aligned(output, rank)
    windows = []
    for tensor in inputs:
        source = _aligned(tensor, rank)
        if source.height not in (1, target.height):
            raise ValueError(f"broadcasting {tensor} to {output} repeats some rows and not others")
        # Of single channels pixels are the runs that kernels take at once.
        is_row = target.channels == 1 and source.width > 1
        window = RowWindow(
            input_rows=source.height,
            row_elements=source.width * source.channels,
            stride=1 if source.height > 1 else 0,
            columns=ColumnWindow(source.width) if source.width > 1 else None,
        )
        windows.append(
            BroadcastWindow(
                window,
                pixel=source.channels if source.width > 1 else 0,
                channel=1 if source.channels > 1 or is_row else 0,
            )
        )
    return windows


def elementwise_call(view: Elementwise, name: str, data: Data, **shape: int) -> FlatCall | RowCall:
    """The call of a kernel, with strides that express the broadcasting.

    name: of the kernel. data: its constants. shape: what its geometry says beside the strides.
    """
    output = view.outputs[0]
    kernel = f"{name}.h", f"tinycc_{name}_{output.dtype}", f"tinycc_{name}"
    if view.is_flat:
        strides = {f"{letter}_{part}_stride": 1 for letter in "ab" for part in ("pixel", "channel")}
        return FlatCall(
            *kernel,
            shape={"channels": 1, **strides, **shape},
            data=data,
            inputs=tuple(tensor.elements for tensor in view.inputs),
            columns=output.elements,
            elements=output.elements,
        )
    strides = {}
    inputs = broadcast_windows(view.inputs, output)
    for letter, item in zip("ab", inputs, strict=True):
        strides |= {f"{letter}_pixel_stride": item.pixel, f"{letter}_channel_stride": item.channel}
    return RowCall(
        *kernel,
        shape={"channels": output.channels, **strides, **shape},
        data=data,
        windows=tuple(item.window for item in inputs),
        rows=output.height,
        columns=output.width,
        row_elements=output.width * output.channels,
    )
