"""Handwritten digits as a cheap camera may see them: anywhere in the picture, of any size, in uneven light.

Made of scikit-learn's digits, which have 8x8 pixels, so that nothing is downloaded.
"""

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

SIDE = 32
# Sides of a digit in a picture, in pixels.
LEAST, MOST = 16, 26
# Digits that are kept to test with.
TESTED = 300


def write_pictures(path: Path, learned: int | None = None, seed: int = 0) -> None:
    """An .npz file as `tinycc search` reads it: x and y to train with, x_test and y_test.

    One picture of each digit, so that none is on both sides. learned: how many to train with; None for all.
    """
    random = np.random.default_rng(seed)
    digits = load_digits()
    order = random.permutation(len(digits.target))
    pixels = digits.images / digits.images.max()

    def pictures(cases: np.ndarray) -> np.ndarray:
        return np.stack([picture(pixels[case], random) for case in cases])

    tested, trained = order[:TESTED], order[TESTED:][:learned]
    np.savez_compressed(
        path,
        x=pictures(trained),
        y=digits.target[trained],
        x_test=pictures(tested),
        y_test=digits.target[tested],
    )


def picture(digit: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A digit, [8, 8] numbers of 0 to 1, in a picture, uint8 [SIDE, SIDE]."""
    side = int(random.integers(LEAST, MOST, endpoint=True))
    ink = Image.fromarray(digit.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC)
    drawn = np.zeros((SIDE, SIDE))
    top, left = random.integers(SIDE - side, size=2, endpoint=True)
    drawn[top : top + side, left : left + side] = np.asarray(ink)
    # Light falls off across the picture.
    slope = random.uniform(-0.3, 0.3, 2) / SIDE
    rows, columns = np.mgrid[:SIDE, :SIDE]
    paper = random.uniform(0.2, 0.5) + slope[0] * rows + slope[1] * columns
    noise = random.normal(0, 0.05, (SIDE, SIDE))
    return ((paper + random.uniform(0.3, 0.5) * drawn + noise).clip(0, 1) * 255).astype(np.uint8)
