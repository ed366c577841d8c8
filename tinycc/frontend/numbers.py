"""Constants of any door hold numbers."""

from collections.abc import Container, Iterable

import numpy as np

from tinycc.errors import ModelError


def check_numbers(
    constants: Iterable[tuple[str, np.ndarray]], where: str = "", weights: Container[str] = ()
) -> None:
    """ModelError for weights that are no numbers, as training that diverged leaves them.

    constants: with their names; an infinite one may be a mask.
    where: what the message begins with.
    weights: names of those that are weights of layers, where an infinite one is no number either.
    """
    for name, value in constants:
        if value.dtype.kind != "f":
            continue
        if np.isnan(value).any():
            raise ModelError(f"{where}tensor {name!r} has values that are not numbers (NaN)")
        if name in weights and np.isinf(value).any():
            raise ModelError(
                f"{where}tensor {name!r} has infinite values, which no layer can have as weights"
            )
