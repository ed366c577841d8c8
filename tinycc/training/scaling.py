"""Quantization-aware scaling: what gradients of integers are multiplied by, so that steps suit them.

A weight is scale x integer. A step of the real weight that is in proportion to its gradient is one of the
integer that is in proportion to the integer's gradient over the square of the scale.
"""

import numpy as np

# The scales of a layer's weights are held to this band around their median: channels that training of the
# float network left nearly dead have scales far from it.
_BAND = 4.0


def banded(scales: np.ndarray) -> np.ndarray:
    """Scales of a layer's weights, held to a band around their median; float32."""
    median = np.median(scales)
    return np.clip(scales, median / _BAND, median * _BAND).astype(np.float32)
