"""Operators that can be computed at compile time."""

from abc import abstractmethod

import numpy as np

from tinycc.ops.base import Operator


class Evaluable(Operator):
    """An operator that is computed at compile time where its inputs are constants."""

    @abstractmethod
    def evaluated(self) -> np.ndarray | None:
        """The output, as its kernel computes it.

        None where that is not known at compile time.
        """
