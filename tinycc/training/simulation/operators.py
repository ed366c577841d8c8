"""What operators without trained weights compute: the integers of their kernels, and what they stand for.

Values are whole numbers in a floating-point type, [runs, cases, *shape of the view]; where all runs or all
cases have the same, that axis is 1. Operators that round tell of what (see `Rounded`); others, which move
elements, make a tensor that torch differentiates.
"""

from typing import Any

import numpy as np
import torch
from torch.nn import functional

from tinycc.ops.add.view import Add
from tinycc.ops.average_gradient import pixel_counts
from tinycc.ops.average_pool2d.view import AveragePool2D
from tinycc.ops.base import Operator
from tinycc.ops.border import Border
from tinycc.ops.concatenate import Concatenate
from tinycc.ops.extremum import Extremum
from tinycc.ops.fixed_point import INTEGER_RANGE, SUM_LEFT_SHIFT
from tinycc.ops.gather import Gather
from tinycc.ops.gradient_integers import bits_below
from tinycc.ops.lookup.view import Lookup
from tinycc.ops.max_pool2d.view import MaxPool2D
from tinycc.ops.multiply.view import Multiply
from tinycc.ops.pad import Pad
from tinycc.ops.reduce.view import Reduce
from tinycc.ops.requantize.view import Requantize
from tinycc.ops.resize_nearest import ResizeNearest
from tinycc.ops.resize_positions import nearest_positions
from tinycc.ops.softmax.view import Softmax
from tinycc.ops.strided_copy import StridedCopy
from tinycc.ops.tensor import Tensor
from tinycc.ops.window import Window
from tinycc.training.simulation.fixed_point import requantize
from tinycc.training.simulation.softmax import softmax_integers
from tinycc.training.simulation.straight_through import Part, Rounded


def _image(tensor: Tensor, value: torch.Tensor) -> torch.Tensor:
    """As [runs, cases, height, width, channels]."""
    return value.reshape(*value.shape[:2], tensor.height, tensor.width, tensor.channels)


def _aligned(operands: tuple[torch.Tensor, ...]) -> list[torch.Tensor]:
    """With axes of 1 behind runs and cases, so that shapes broadcast as numpy has it."""
    rank = max(value.ndim for value in operands)
    return [
        value.reshape(*value.shape[:2], *(1,) * (rank - value.ndim), *value.shape[2:]) for value in operands
    ]


def _whole(value: torch.Tensor) -> torch.Tensor:
    return value.detach().to(torch.int64)


def _repeated(tensor: Tensor, output: Tensor) -> int:
    """How many elements of the output an operand's element makes by broadcasting, at most."""
    return output.elements // tensor.elements


def _add(view: Add, *operands: torch.Tensor) -> Rounded:
    """Both inputs are brought to a common scale, then their sum to the output's."""
    tensors, output, factors = view.inputs, view.outputs[0], view.multipliers
    centred = torch.broadcast_tensors(
        *(value - tensor.zero_point for value, tensor in zip(_aligned(operands), tensors, strict=True))
    )
    widened = [_whole(value) << SUM_LEFT_SHIFT["int8"] for value in centred]
    total = requantize(widened[0], *factors["a"]) + view.sign * requantize(widened[1], *factors["b"])
    parts = tuple(
        Part(
            value,
            sign * tensor.real_scale / output.real_scale,
            bits=bits_below(_repeated(tensor, output)),
        )
        for value, tensor, sign in zip(centred, tensors, (1, view.sign), strict=True)
    )
    return Rounded(requantize(total, *factors["output"]) + output.zero_point, view.output_range, parts)


def _multiply(view: Multiply, *operands: torch.Tensor) -> Rounded:
    (a, b), output = view.inputs, view.outputs[0]
    first, second = (
        value - tensor.zero_point for value, tensor in zip(_aligned(operands), (a, b), strict=True)
    )
    product = first * second
    integers = requantize(_whole(product), *view.multiplier) + output.zero_point
    factor = a.real_scale * b.real_scale / output.real_scale
    worth = 255 * max(_repeated(tensor, output) for tensor in (a, b))
    return Rounded(integers, view.output_range, (Part(product, factor, bits=bits_below(worth)),))


def _extremum(view: Extremum, *operands: torch.Tensor) -> Rounded:
    first, second = torch.broadcast_tensors(*_aligned(operands))
    # Not torch.maximum, which halves the gradient where both are the same.
    is_first = first >= second if view.is_maximum else first <= second
    chosen = torch.where(is_first, first, second)
    return Rounded(chosen, view.output_range, (Part(chosen, 1.0),))


def _requantize(view: Requantize, source: torch.Tensor) -> Rounded:
    tensor, output = view.inputs[0], view.outputs[0]
    centred = source - tensor.zero_point
    integers = requantize(_whole(centred), *view.multiplier) + output.zero_point
    part = Part(centred, tensor.real_scale / output.real_scale)
    return Rounded(integers, view.output_range, (part,))


def _lookup(view: Lookup, source: torch.Tensor) -> Rounded:
    low, high = INTEGER_RANGE["int8"]
    places = _whole(source) + 128
    results = torch.as_tensor(view.table.astype(np.int64), device=source.device)[places]
    slopes = np.where((view.table > low) & (view.table < high), view.slopes, 0)
    return Rounded(results, (low, high), (Part(source, slopes, places),))


def _windows(window: Window, value: torch.Tensor, output: Tensor, outside: float) -> torch.Tensor:
    """What lies under each window, [runs, cases, taps, height, width, channels]; `outside` beyond."""
    padding = [0, 0]
    for axis in (1, 0):
        size, count = value.shape[2 + axis], (output.height, output.width)[axis]
        reach = (count - 1) * window.stride[axis] + (window.kernel[axis] - 1) * window.dilation[axis] + 1
        padding += [window.padding[axis], reach - size - window.padding[axis]]
    padded = functional.pad(value, padding, value=outside)
    taps = []
    for row in range(window.kernel[0]):
        for column in range(window.kernel[1]):
            place = row * window.dilation[0], column * window.dilation[1]
            taps.append(
                padded[
                    :,
                    :,
                    place[0] : place[0] + (output.height - 1) * window.stride[0] + 1 : window.stride[0],
                    place[1] : place[1] + (output.width - 1) * window.stride[1] + 1 : window.stride[1],
                ]
            )
    return torch.stack(taps, 2)


def _average_pool2d(view: AveragePool2D, source: torch.Tensor) -> Rounded:
    """What is rescaled keeps fractional bits of its mean."""
    tensor, output, constants = view.inputs[0], view.outputs[0], view.requantization()
    image = _image(tensor, source)
    sums = _windows(view.window, image - tensor.zero_point, output, 0.0).sum(2)
    pixels = pixel_counts(view.window, (output.height, output.width), (tensor.height, tensor.width))
    counts = torch.as_tensor(pixels, device=source.device)[..., None]
    if view.mean_bits:
        means = _divide_half_away(_whole(sums) << view.mean_bits, counts)
        integers = requantize(means, constants["multiplier"], constants["shift"]) + output.zero_point
    else:
        integers = _divide_half_away(_whole(sums) + counts * tensor.zero_point, counts)
    shape = *source.shape[:2], *output.shape
    factors = tensor.real_scale / output.real_scale / pixels[..., np.newaxis]
    return Rounded(integers.reshape(shape), view.output_range, (Part(sums.reshape(shape), factors),))


def _divide_half_away(values: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """As the kernel rounds a quotient to the nearest: half a count, rounded down, farther from zero."""
    return torch.div(values + values.sign() * (counts // 2), counts, rounding_mode="trunc")


def _max_pool2d(view: MaxPool2D, source: torch.Tensor) -> torch.Tensor:
    """The gradient is that of the first of the largest."""
    windows = _windows(view.window, _image(view.inputs[0], source), view.outputs[0], -float("inf"))
    first = windows.argmax(2, keepdim=True)
    return windows.gather(2, first).reshape(*source.shape[:2], *view.outputs[0].shape)


def _reduce(view: Reduce, source: torch.Tensor) -> Rounded:
    tensor, output = view.inputs[0], view.outputs[0]
    sums = (source - tensor.zero_point).sum([axis + 2 for axis in view.axes])
    sums = sums.reshape(*source.shape[:2], *output.shape)
    integers = requantize(_whole(sums), *view.requantization()) + output.zero_point
    factor = tensor.real_scale / output.real_scale / (view.count if view.is_mean else 1)
    return Rounded(integers, view.output_range, (Part(sums, factor),))


def _softmax(view: Softmax, source: torch.Tensor) -> Rounded:
    """Its real numbers are no whole ones."""
    tensor, output = view.inputs[0], view.outputs[0]
    real = functional.softmax(source * tensor.real_scale, -1)
    integers = softmax_integers(view, _whole(source))
    return Rounded(integers, INTEGER_RANGE[output.dtype], (Part(real, 1 / output.real_scale),))


def _concatenate(view: Concatenate, *operands: torch.Tensor) -> torch.Tensor:
    leading = torch.broadcast_shapes(*(value.shape[:2] for value in operands))
    return torch.cat([value.expand(*leading, *value.shape[2:]) for value in operands], view.axis + 2)


def _pad(view: Pad, source: torch.Tensor) -> torch.Tensor:
    """In [rows, width, channels], where a row may be one of any of the leading axes."""
    image, shape = _image(view.inputs[0], source), (*source.shape[:2], *view.outputs[0].shape)
    if view.border is None:
        widths = [width for sides in zip(view.before[::-1], view.after[::-1], strict=True) for width in sides]
        return functional.pad(image, widths, value=view.pad_value).reshape(shape)
    for axis, (before, after) in enumerate(zip(view.before, view.after, strict=True), start=2):
        image = image.index_select(
            axis, _around(view.border, image.shape[axis], before, after, source.device)
        )
    return image.reshape(shape)


def _around(border: Border, size: int, before: int, after: int, device: torch.device) -> torch.Tensor:
    """Which elements of an axis lie in and around it."""
    places = [border.inside(place, size) for place in range(-before, size + after)]
    return torch.tensor(places, device=device)


def _strided_copy(view: StridedCopy, source: torch.Tensor) -> torch.Tensor:
    elements = view.elements
    places = np.full((), elements.first)
    for size, step in zip(elements.sizes, elements.steps, strict=True):
        places = places[..., np.newaxis] + np.arange(size) * step
    chosen = source.flatten(2).index_select(2, torch.as_tensor(places.reshape(-1), device=source.device))
    return chosen.reshape(*source.shape[:2], *view.outputs[0].shape)


def _gather(view: Gather, source: torch.Tensor) -> torch.Tensor:
    places = torch.as_tensor(view.indices.astype(np.int64), device=source.device)
    return source.index_select(view.axis + 2, places).reshape(*source.shape[:2], *view.outputs[0].shape)


def _resize_nearest(view: ResizeNearest, source: torch.Tensor) -> torch.Tensor:
    tensor, output = view.inputs[0], view.outputs[0]
    image = _image(tensor, source)
    for axis, (size, count) in enumerate(
        ((tensor.height, output.height), (tensor.width, output.width)), start=2
    ):
        places = nearest_positions(size, count, view.coordinates, view.rounding).indices(count)
        image = image.index_select(axis, torch.as_tensor(np.asarray(places), device=source.device))
    return image.reshape(*source.shape[:2], *output.shape)


# By the operator's view.
COMPUTE: dict[type[Operator], Any] = {
    Add: _add,
    AveragePool2D: _average_pool2d,
    Concatenate: _concatenate,
    Extremum: _extremum,
    Gather: _gather,
    Lookup: _lookup,
    MaxPool2D: _max_pool2d,
    Multiply: _multiply,
    Pad: _pad,
    Reduce: _reduce,
    Requantize: _requantize,
    ResizeNearest: _resize_nearest,
    Softmax: _softmax,
    StridedCopy: _strided_copy,
}
