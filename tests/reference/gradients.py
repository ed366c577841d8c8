"""Gradients and updates in numpy, summed in the order that the kernels' headers state."""

from collections.abc import Iterator

import numpy as np

from tinycc.ops.window import Window

Pixels = tuple[slice, slice]


def taps(
    window: Window, outputs: tuple[int, int], inputs: tuple[int, int]
) -> Iterator[tuple[int, int, Pixels, Pixels]]:
    """Each tap (j, k), ascending, with the pixels of the output and of the input that it stands between."""
    for j in range(window.kernel[0]):
        for k in range(window.kernel[1]):
            reached = [
                _reached(window, axis, tap, outputs[axis], inputs[axis]) for axis, tap in ((0, j), (1, k))
            ]
            if all(item is not None for item in reached):
                (above, below), (left, right) = (item for item in reached if item is not None)
                yield j, k, (above, left), (below, right)


def _reached(window: Window, axis: int, tap: int, outputs: int, inputs: int) -> tuple[slice, slice] | None:
    stride = window.stride[axis]
    first = tap * window.dilation[axis] - window.padding[axis]
    whole = [place for place in range(outputs) if 0 <= place * stride + first < inputs]
    if not whole:
        return None
    begin, end = whole[0], whole[-1]
    return slice(begin, end + 1), slice(begin * stride + first, end * stride + first + 1, stride)


def input_gradient(
    gradient: np.ndarray, weights: np.ndarray, window: Window, groups: int, input_shape: tuple[int, ...]
) -> np.ndarray:
    """The gradient of a layer's input; see runtime_c/kernels/portable/input_gradient.h."""
    result = np.zeros(input_shape, gradient.dtype)
    outputs, _, _, depth = weights.shape
    for j, k, above, below in taps(window, gradient.shape[1:3], input_shape[1:3]):
        for o in range(outputs):
            first = o // (outputs // groups) * depth
            product = gradient[0][above][..., o, np.newaxis] * weights[o, j, k].astype(gradient.dtype)
            result[0, :, :, first : first + depth][below] += product
    return result


def weight_gradient(
    gradient: np.ndarray, centred: np.ndarray, window: Window, groups: int, depth: int
) -> np.ndarray:
    """The gradient of weights, [outputs, kernel height, kernel width, depth]; see weight_update.h.

    centred: the layer's input less its zero point, its first `depth` channels of each group.
    """
    outputs = gradient.shape[3]
    result = np.zeros((outputs, *window.kernel, depth), gradient.dtype)
    group = np.arange(outputs) // (outputs // groups)
    channels = group[:, np.newaxis] * depth + np.arange(depth)
    for j, k, above, below in taps(window, gradient.shape[1:3], centred.shape[1:3]):
        values = gradient[0][above].reshape(-1, outputs)
        inputs = centred[0][below].reshape(-1, centred.shape[3])
        for value, pixel in zip(values, inputs, strict=True):
            result[:, j, k] += value[:, np.newaxis] * pixel[channels]
    return result


def bias_gradient(gradient: np.ndarray) -> np.ndarray:
    """The gradient of a bias, [outputs]; see bias_update.h."""
    result = np.zeros(gradient.shape[-1], gradient.dtype)
    for pixel in gradient.reshape(-1, gradient.shape[-1]):
        result += pixel
    return result
