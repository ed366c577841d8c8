"""TFLite's elementwise operators of two int8 numbers, less their zero points, on Python integers.

Results are less the output's zero point, and not clamped. `scales` are those of a, b and output.
"""

from collections.abc import Callable

from tinycc.ops.fixed_point import (
    SQUARE_LEFT_SHIFT,
    SUM_LEFT_SHIFT,
    quantize_multiplier,
    square_multipliers,
    sum_multipliers,
)
from tinycc.ops.integer_arithmetic import divide, requantize


def rescaling(real_multiplier: float) -> Callable[[int], int]:
    """Multiplication by a real number, rounded twice."""
    multiplier, shift = quantize_multiplier(real_multiplier)
    return lambda value: requantize(value, multiplier, shift)


def product(scales: tuple[float, float, float]) -> Callable[[int, int], int]:
    """MUL."""
    rescale = rescaling(scales[0] * scales[1] / scales[2])
    return lambda a, b: rescale(a * b)


def quotient(scales: tuple[float, float, float]) -> Callable[[int, int], int]:
    """DIV by a number other than 0."""
    multiplier, shift = quantize_multiplier(scales[0] / (scales[1] * scales[2]))
    return lambda a, b: divide(a, b, multiplier, shift)


def sum_or_difference(scales: tuple[float, float, float], sign: int) -> Callable[[int, int], int]:
    """ADD, or with a sign of -1 SUB."""
    left_shift = SUM_LEFT_SHIFT["int8"]
    multipliers = sum_multipliers(scales, left_shift)

    def result(a: int, b: int) -> int:
        scaled_a = requantize(a << left_shift, *multipliers["a"])
        scaled_b = requantize(b << left_shift, *multipliers["b"])
        return requantize(scaled_a + sign * scaled_b, *multipliers["output"])

    return result


def squared_difference(scales: tuple[float, float, float]) -> Callable[[int, int], int]:
    """SQUARED_DIFFERENCE."""
    left_shift = SQUARE_LEFT_SHIFT["int8"]
    multipliers = square_multipliers(scales, left_shift)

    def result(a: int, b: int) -> int:
        scaled_a = requantize(a << left_shift, *multipliers["a"])
        scaled_b = requantize(b << left_shift, *multipliers["b"])
        return requantize((scaled_a - scaled_b) ** 2, *multipliers["output"])

    return result
