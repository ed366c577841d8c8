"""Layers of all geometries, for tests of their gradients and updates."""

from dataclasses import dataclass

import numpy as np

from tinycc.ops.window import Window


@dataclass(frozen=True, eq=False)
class GradientLayer:
    """A layer, its weights, and the gradient of its sums.

    shape: of the input, NHWC. gradient: float32, some of it 0.
    """

    name: str
    window: Window
    groups: int
    shape: tuple[int, int, int, int]
    gradient: np.ndarray
    weights: np.ndarray


# Window, groups, input [height, width, channels], outputs.
_LAYERS = {
    "pixels": (Window((1, 1), (1, 1), (0, 0)), 1, (3, 3, 7), 5),
    "many channels": (Window((1, 1), (1, 1), (0, 0)), 1, (5, 7, 70), 37),
    "dense": (Window((1, 1), (1, 1), (0, 0)), 1, (1, 1, 6), 3),
    "many inputs": (Window((1, 1), (1, 1), (0, 0)), 1, (1, 1, 37), 5),
    "pixels with stride": (Window((1, 1), (2, 2), (0, 0)), 1, (5, 4, 6), 5),
    "image": (Window((3, 3), (2, 2), (0, 1)), 1, (6, 7, 5), 4),
    "long strides": (Window((2, 3), (3, 4), (1, 2)), 1, (8, 9, 3), 2),
    "dilated": (Window((3, 2), (1, 2), (2, 1), (2, 3)), 1, (6, 9, 3), 4),
    "dilated against the stride": (Window((3, 3), (2, 3), (3, 2), (3, 2)), 1, (9, 8, 2), 3),
    "groups": (Window((3, 3), (2, 1), (1, 1)), 3, (5, 4, 15), 6),
    "depthwise": (Window((3, 3), (1, 1), (1, 1)), 5, (4, 6, 5), 5),
    "wide depthwise": (Window((7, 5), (1, 1), (3, 2)), 3, (4, 4, 3), 3),
    "tiles of depthwise": (Window((3, 3), (2, 2), (1, 1)), 4, (5, 19, 4), 4),
    "depthwise with long strides": (Window((3, 2), (2, 3), (0, 1)), 2, (5, 20, 2), 2),
    "dilated depthwise": (Window((3, 3), (1, 1), (2, 2), (2, 2)), 2, (5, 11, 2), 2),
    "depthwise with stride": (Window((5, 3), (2, 2), (2, 0), (1, 2)), 3, (7, 8, 3), 6),
}
NAMES = tuple(_LAYERS)


def layer(name: str, seed: int = 0) -> GradientLayer:
    """The layer of this name, with random numbers."""
    window, groups, (height, width, channels), outputs = _LAYERS[name]
    sizes = [
        (size + 2 * padding - (taps - 1) * dilation - 1) // stride + 1
        for size, padding, taps, dilation, stride in zip(
            (height, width), window.padding, window.kernel, window.dilation, window.stride, strict=True
        )
    ]
    generator = np.random.default_rng(seed)
    gradient = generator.normal(size=(1, *sizes, outputs)).astype(np.float32)
    gradient[generator.random(gradient.shape) < 0.3] = 0
    weights = generator.integers(-128, 128, (outputs, *window.kernel, channels // groups)).astype(np.int8)
    return GradientLayer(name, window, groups, (1, height, width, channels), gradient, weights)
