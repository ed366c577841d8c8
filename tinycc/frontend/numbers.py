"""Constants of any door hold numbers."""

from collections.abc import Iterable

import numpy as np

from tinycc.errors import ModelError


def check_numbers(constants: Iterable[tuple[str, np.ndarray]], where: str = "") -> None:
    """ModelError for weights that are no numbers, as training that diverged leaves them.

    constants: with their names; an infinite one may be a mask.
    where: what the message begins with.
    """
    for name, value in constants:
        if value.dtype.kind == "f" and np.isnan(value).any():
            raise ModelError(f"{where}tensor {name!r} has values that are not numbers (NaN)")
