"""The spaces that tinycc brings along."""

from tinycc.search.architecture import Pair
from tinycc.search.space import Space, Stage

_SQUARES: tuple[Pair, ...] = ((3, 3), (5, 5), (7, 7))
_WIDTHS = (0.5, 0.75, 1.0)


def image_space(sizes: tuple[int, ...], channels: int, outputs: int, stem_stride: int = 2) -> Space:
    """Inverted residuals for images of these sides."""
    stages = (
        Stage(16, (1, 1), (1,), ((3, 3),), (1,), _WIDTHS),
        *(
            Stage(width, (stride, stride), (1, 2, 3), _SQUARES, (2, 3, 4, 6), _WIDTHS)
            for width, stride in ((24, 1), (40, 2), (80, 2), (96, 1))
        ),
    )
    stem = (stem_stride, stem_stride)
    return Space(tuple((size, size) for size in sizes), channels, 16, (3, 3), stem, stages, 0, outputs)


def spectrogram_space(sizes: tuple[Pair, ...], outputs: int) -> Space:
    """Separable convolutions for spectrograms of one channel, [frames, features]."""
    kernels = ((1, 3), (3, 1), (3, 3), (1, 5), (5, 1), (5, 5))
    stages = tuple(Stage(64, stride, (1, 2, 3), kernels, (), _WIDTHS) for stride in ((1, 1), (2, 2)))
    return Space(sizes, 1, 64, (9, 5), (2, 2), stages, 0, outputs)
