"""What SVDF kernels share that compute four filters together, see svdf_fours.h."""

from abc import abstractmethod

import numpy as np

from tinycc.ops.dsp import stored_multiplier
from tinycc.ops.kernel_call import Value
from tinycc.ops.svdf.portable import PortableSVDF
from tinycc.ops.svdf.view import SVDF
from tinycc.runtime_c.constants import constant

# Filters that are computed together.
FOURS = constant("TINYCC_SVDF_BLOCK")
# Bits by which sums may be shifted to the left.
_MOST_LEFT = 8


class SVDFByFours(PortableSVDF):
    """Four filters at a time."""

    def fits(self, view: SVDF) -> bool:
        """Where nothing of the output is shifted left."""
        multiplier, left = view.feature_multiplier
        output_multiplier, output_left = view.output_multiplier
        return bool(multiplier and output_multiplier) and output_left <= 0 and left <= _MOST_LEFT

    def features(self, view: SVDF) -> dict[str, Value]:
        """Of whole fours."""
        bias = view.folded_feature_bias
        return {
            "features.feature_weights": self.weights(view),
            "features.feature_bias": np.pad(bias, (0, -len(bias) % FOURS)),
        }

    @abstractmethod
    def weights(self, view: SVDF) -> np.ndarray:
        """The weights of features."""

    def scales(self, view: SVDF) -> dict[str, Value]:
        """The requantization of both sums."""
        multiplier, shift = view.feature_multiplier
        output_multiplier, output_shift = view.output_multiplier
        return {
            "scales.feature_multiplier": stored_multiplier(multiplier),
            "scales.feature_left": max(shift, 0),
            "scales.feature_exponent": max(-shift, 0),
            "scales.output_multiplier": stored_multiplier(output_multiplier),
            "scales.output_exponent": -output_shift,
        }

    def overlap(self, view: SVDF, index: int) -> int:
        """All outputs but those of the last filters are written while the whole input is still being read."""
        return (view.outputs[0].elements * view.rank - 1) // FOURS * FOURS // view.rank
