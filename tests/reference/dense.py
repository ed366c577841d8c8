"""FULLY_CONNECTED on int8 or int16 activations with int8 weights.

With one weight scale TFLM multiplies input and weight scale in float32, rounding there, and only then divides
by the output scale in double: double(float32(input_scale * weight_scale)) / double(output_scale). With a
scale per output channel the product is in double, as for convolutions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .convolution import Requantization, convolution_requantization, exact_product
from .fixed_point import INT8, Integers, Quantization, Range, as_int64, quantize_multipliers


def dense_requantization(
    input_scale: float,
    weight_scales: npt.ArrayLike,
    output: Quantization,
    bounds: Range = INT8,
    wide: bool = False,
) -> Requantization:
    """Requantization of a fully connected layer; weight_scales has one element or one per output."""
    scales = np.atleast_1d(np.asarray(weight_scales, np.float32))
    if len(scales) > 1:
        return convolution_requantization(input_scale, scales, output, bounds, wide)
    effective = float(np.float32(input_scale) * scales[0]) / output.scale
    return Requantization(*quantize_multipliers(effective), output.zero_point, bounds, wide)


def fully_connected(
    x: npt.ArrayLike,
    weights: npt.ArrayLike,
    bias: npt.ArrayLike | None,
    input_zero_point: int,
    requantize: Requantization,
    weight_zero_point: int = 0,
) -> Integers:
    """x [..., in] times weights [out, in], plus bias [out], giving [rows, out].

    x is flattened to rows of the weights' length first.
    """
    kernels = as_int64(weights) - weight_zero_point
    rows = as_int64(x).reshape(-1, kernels.shape[1]) - input_zero_point
    return requantize(exact_product(rows, kernels.T) + (0 if bias is None else as_int64(bias)))
