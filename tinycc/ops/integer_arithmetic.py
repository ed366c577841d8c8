"""The arithmetic of the kernels' common.h and exponential.h on Python integers, for tables.

A number in Qk is an int32 that stands for value / 2**(31 - k).

Source: gemmlowp's fixed-point functions, as TFLite Micro's reference kernels use them.
"""

INT32_MAX = 2**31 - 1

_ONE_Q2 = 2**29
# exp(-2**k) in Q0, for k = -2, -1, ...
_EXP_OF_MINUS_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)


def clamp(value: int, low: int, high: int) -> int:
    """`value`, or the nearest of [low, high]."""
    return max(low, min(value, high))


def multiply_high(a: int, b: int) -> int:
    """(a * b) / 2**31 of int32 numbers, rounded to nearest with halves up, saturated."""
    return min((a * b + 2**30) >> 31, INT32_MAX)


def divide_by_power(value: int, exponent: int) -> int:
    """`value` / 2**exponent, rounded to nearest with halves away from zero."""
    magnitude = (2 * abs(value) + 2**exponent) >> (exponent + 1)
    return magnitude if value >= 0 else -magnitude


def requantize(value: int, multiplier: int, shift: int) -> int:
    """`value` * multiplier * 2**(shift - 31), rounded twice; wraps in 32 bits when shifted left."""
    shifted = ((value << max(shift, 0)) + 2**31) % 2**32 - 2**31
    return divide_by_power(multiply_high(shifted, multiplier), max(-shift, 0))


def exp_of_negative(x: int, integer_bits: int) -> int:
    """Exponential of x <= 0 in Q(integer_bits), integer_bits at most 5, as Q0."""
    if x == 0:
        return INT32_MAX
    fraction_bits = 31 - integer_bits
    quarter = 2 ** (fraction_bits - 2)
    last = x % quarter - quarter
    result = _exp_of_last_quarter(last << integer_bits)
    for bit, factor in enumerate(_EXP_OF_MINUS_POWERS[: integer_bits + 2], start=fraction_bits - 2):
        if (last - x) >> bit & 1:
            result = multiply_high(result, factor)
    return result


def _exp_of_last_quarter(x: int) -> int:
    """exp(x) of x in [-1/4, 0), Q0 to Q0, by a polynomial in x + 1/8."""
    exp_of_minus_eighth, third = 1895147668, 715827883
    centred = x + 2**28
    square = multiply_high(centred, centred)
    cube = multiply_high(square, centred)
    quarter_fourth = divide_by_power(multiply_high(square, square), 2)
    tail = divide_by_power(multiply_high(quarter_fourth + cube, third) + square, 1)
    return exp_of_minus_eighth + multiply_high(exp_of_minus_eighth, centred + tail)


def _two_over_one_plus(x: int) -> int:
    """2 / (1 + x) of x in [0, 1], Q0 to Q2, by three of Newton's steps from a straight line."""
    half = (x + 2**31) >> 1
    estimate = 1515870810 + multiply_high(half, -1010580540)
    for _ in range(3):
        estimate += multiply_high(estimate, _ONE_Q2 - multiply_high(half, estimate)) << 2
    return estimate


def one_over_one_plus(x: int) -> int:
    """1 / (1 + x) of x in [0, 1], Q0 to Q0, saturated."""
    return min(_two_over_one_plus(x) << 1, INT32_MAX)


def divide(a: int, b: int, multiplier: int, shift: int) -> int:
    """A / b * multiplier * 2**(shift - 31) of b other than 0, rounded at the end."""
    if b < 0:
        a, b = -a, -b
    inverse = one_over_one_plus((b << (32 - b.bit_length())) - 2**31)
    headroom = 31 - (a if a >= 0 else ~a).bit_length()
    quotient = multiply_high(multiply_high(a << headroom, inverse), multiplier)
    return divide_by_power(quotient, b.bit_length() - 1 + headroom - shift)


def reciprocal_square_root(x: int) -> tuple[int, int]:
    """1 / sqrt(x) of a whole x > 0 as a multiplier and a shift, by five of Newton's steps from 1."""
    if x == 1:
        return INT32_MAX, 0
    pairs = (31 - x.bit_length()) // 2 - 1
    half = divide_by_power((x << 2 * pairs) >> 1, 1)
    one, one_and_half, half_of_root_two = 2**28, 3 * 2**27, 1518500250
    estimate = one
    for _ in range(5):
        cube = _times_power(multiply_high(multiply_high(estimate, estimate), estimate), 6)
        estimate = _times_power(multiply_high(one_and_half, estimate) - multiply_high(half, cube), 3)
    shift = 11 - pairs
    return multiply_high(estimate, half_of_root_two) << max(-shift, 0), -max(shift, 0)


def _times_power(value: int, exponent: int) -> int:
    """`value` * 2**exponent in 32 bits, saturated."""
    return clamp(value << exponent, -(2**31), INT32_MAX)


def logistic(x: int, integer_bits: int) -> int:
    """1 / (1 + exp(-x)) of x in Q(integer_bits), as Q0."""
    if x == 0:
        return 2**30
    positive = one_over_one_plus(exp_of_negative(-abs(x), integer_bits))
    return positive if x > 0 else INT32_MAX - positive


def tanh(x: int, integer_bits: int) -> int:
    """Hyperbolic tangent of x in Q(integer_bits), as Q0."""
    if x == 0:
        return 0
    # (1 - e) / (1 + e) with e = exp(-2 |x|): the same bits, read with one integer bit more
    ratio = (_two_over_one_plus(exp_of_negative(-abs(x), integer_bits + 1)) - _ONE_Q2) << 2
    positive = min(ratio, INT32_MAX)
    return positive if x > 0 else -positive
