"""SVDF with the DSP extension."""

import numpy as np

from tinycc.ops import dsp
from tinycc.ops.svdf.fours import FOURS, SVDFByFours
from tinycc.ops.svdf.view import SVDF


class DspSVDF(SVDFByFours):
    """Rows of weights as they are."""

    name = dsp.FEATURE
    needs = dsp.FEATURE
    suffix = "_dsp"

    def weights(self, view: SVDF) -> np.ndarray:
        """Rows of zeros after the last."""
        return np.pad(view.feature_weights, ((0, -len(view.feature_weights) % FOURS), (0, 0)))
