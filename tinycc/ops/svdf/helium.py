"""SVDF with Helium."""

import numpy as np

from tinycc.ops import helium
from tinycc.ops.svdf.fours import SVDFByFours
from tinycc.ops.svdf.view import SVDF


class HeliumSVDF(SVDFByFours):
    """Rows of weights four by four."""

    name = helium.FEATURE
    needs = helium.FEATURE
    suffix = "_helium"

    def weights(self, view: SVDF) -> np.ndarray:
        """In the order of the kernel's loads."""
        return helium.pack_rows(view.feature_weights, helium.fours(len(view.feature_weights)))
