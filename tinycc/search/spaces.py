"""The spaces that tinycc brings along, and families of them to choose from (`tinycc.search.satisfying`).

Widths of a stage are a quarter apart, those of spaces in a family an eighth: at 64 KB of flash they are 0.25
to 0.5, of which steps of a quarter would leave two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tinycc.search.architecture import Pair
from tinycc.search.data import Data
from tinycc.search.space import Space, Stage

# Of the spaces of a family.
WIDTHS = tuple(eighths / 8 for eighths in range(2, 9))
_SQUARES: tuple[Pair, ...] = ((3, 3), (5, 5), (7, 7))
_STAGE_WIDTHS = (0.5, 0.75, 1.0)
_WIDE_STAGE_WIDTHS = (0.25, 0.375, *_STAGE_WIDTHS)
_IMAGE_CHANNELS = (24, 40, 80, 96)
# Strides of the stem and of the stages with these channels: an eighth of the image is left, later or sooner.
_IMAGE_STRIDES = ((1, (2, 2, 2, 1)), (2, (1, 2, 2, 1)), (2, (2, 1, 2, 1)))
# Channels of the stages, and how many blocks these may have.
_SPECTROGRAM_STAGES = (
    ((64, 64), (1, 2, 3)),
    ((64, 128), (1, 2, 3, 4)),
    ((32, 64, 128), (1, 2, 3)),
)
# Of channels in a family. At a width of 0.25 multiples of 8 would make one of the three widths of a stage.
_FINE_DIVISOR = 4


def image_space(
    sizes: Sequence[int | Pair],
    channels: int,
    outputs: int,
    stem_stride: int = 2,
    strides: Sequence[int] = (1, 2, 2, 1),
) -> Space:
    """Inverted residuals for images of these sides, or heights and widths.

    strides: of the four stages of several blocks.
    """
    stages = (
        Stage(16, (1, 1), (1,), ((3, 3),), (1,), _STAGE_WIDTHS),
        *(
            Stage(width, (stride, stride), (1, 2, 3), _SQUARES, (2, 3, 4, 6), _STAGE_WIDTHS)
            for width, stride in zip(_IMAGE_CHANNELS, strides, strict=True)
        ),
    )
    stem = (stem_stride, stem_stride)
    return Space(tuple(map(_pair, sizes)), channels, 16, (3, 3), stem, stages, 0, outputs)


def separable_image_space(sizes: Sequence[int | Pair], channels: int, outputs: int) -> Space:
    """Separable convolutions for images of these sides, or heights and widths, as in DS-CNN.

    Fewer layers than inverted residuals have, each of which may be wider for as much work.
    """
    stages = tuple(
        Stage(width, (stride, stride), depths, _SQUARES, (), _WIDE_STAGE_WIDTHS)
        for width, stride, depths in ((64, 1, (1, 2)), (96, 2, (1, 2, 3, 4)), (128, 2, (1, 2)))
    )
    return Space(tuple(map(_pair, sizes)), channels, 32, (3, 3), (2, 2), stages, 0, outputs)


def spectrogram_space(
    sizes: Sequence[Pair], outputs: int, channels: Sequence[int] = (64, 64), depths: Sequence[int] = (1, 2, 3)
) -> Space:
    """Separable convolutions for spectrograms of one channel, [frames, features].

    channels, depths: of the stages, of which all but the first have a stride of 2.
    """
    kernels = ((1, 3), (3, 1), (3, 3), (1, 5), (5, 1), (5, 5))
    stages = tuple(
        Stage(count, (1, 1) if index == 0 else (2, 2), tuple(depths), kernels, (), _STAGE_WIDTHS)
        for index, count in enumerate(channels)
    )
    return Space(tuple(sizes), 1, 64, (9, 5), (2, 2), stages, 0, outputs)


def image_spaces(
    sizes: Sequence[int | Pair], channels: int, outputs: int, widths: Sequence[float] = WIDTHS
) -> dict[str, Space]:
    """A family for images of these sides, in rising order: `spaces_for` each kind.

    Kinds are inverted residuals, with each way to place strides, and separable convolutions.
    """
    kinds = {
        f"strides {stem} {' '.join(map(str, strides))}": image_space(sizes, channels, outputs, stem, strides)
        for stem, strides in _IMAGE_STRIDES
    }
    kinds["separable"] = separable_image_space(sizes, channels, outputs)
    return _families(kinds, widths)


def spectrogram_spaces(
    sizes: Sequence[Pair], outputs: int, widths: Sequence[float] = WIDTHS
) -> dict[str, Space]:
    """A family for spectrograms of these sizes: `spaces_for` stages of one width or of ever more."""
    kinds = {
        f"channels {' '.join(map(str, channels))}": spectrogram_space(sizes, outputs, channels, depths)
        for channels, depths in _SPECTROGRAM_STAGES
    }
    return _families(kinds, widths)


def _families(kinds: Mapping[str, Space], widths: Sequence[float]) -> dict[str, Space]:
    """That of each kind of space, their names before those of `spaces_for`."""
    return {
        f"{name}, {rest}": space
        for name, kind in kinds.items()
        for rest, space in spaces_for(replace(kind, divisor=_FINE_DIVISOR), widths).items()
    }


def spaces_for(space: Space, widths: Sequence[float] = WIDTHS, together: int = 3) -> dict[str, Space]:
    """The family of a space: at each width one for each run of so many of its sizes, by name.

    Sizes are those of the space, in its order; all together where there are no more.
    """
    sizes = space.input_sizes
    runs = [sizes[first : first + together] for first in range(max(1, len(sizes) - together + 1))]
    return {
        f"width {width:g}, {_span(run)}": space.scaled(space.width * width, run)
        for run in runs
        for width in widths
    }


def spaces_of(data: Data) -> dict[str, Space]:
    """The family for some data: images in three quarters to all of their size, spectrograms as they are."""
    train = data.train
    if data.spectrogram is not None:
        return spectrogram_spaces([train.size], len(train.classes))
    height, width = train.size
    sizes = dict.fromkeys((round(height * eighths / 8), round(width * eighths / 8)) for eighths in (6, 7, 8))
    return image_spaces(list(sizes), train.channels, len(train.classes))


def _pair(size: int | Pair) -> Pair:
    return (size, size) if isinstance(size, int) else size


def _span(sizes: Sequence[Pair]) -> str:
    first, last = ("x".join(map(str, sizes[place])) for place in (0, -1))
    return first if first == last else f"{first} to {last}"
