"""Transcendental functions on 32-bit fixed point, as gemmlowp defines them.

A raw int32 in format Qk is raw / 2^(31 - k). Multiplying formats Qa and Qb with the doubling high multiply
gives Q(a + b). All functions are vectorised and take and return int64 arrays of raw values.
"""

from __future__ import annotations

import numpy as np

from .fixed_point import (
    INT32_MAX,
    INT32_MIN,
    Integers,
    as_int64,
    rounding_divide_by_pot,
)
from .fixed_point import (
    saturating_rounding_doubling_high_mul as multiply,
)

ONE = INT32_MAX  # 1.0 in Q0, as near as int32 comes
ONE_Q2 = 1 << 29

EXP_MINUS_ONE_EIGHTH = 1895147668
ONE_THIRD = 715827883
# exp(-2^e) in Q0, for e from -2.
EXP_MINUS_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
# The straight line 48/17 - 32/17 d that starts Newton's division, in Q2.
NEWTON_CONSTANT, NEWTON_SLOPE = 1515870810, -1010580540


def shift_left_saturating(x: Integers, bits: int) -> Integers:
    return as_int64(np.clip(x << bits, INT32_MIN, INT32_MAX))


def _exp_of_last_quarter(x: Integers) -> Integers:
    """exp of x in [-1/4, 0), Q0 to Q0: a polynomial of degree four around -1/8."""
    centred = x + (1 << 28)
    square = multiply(centred, centred)
    cube = multiply(square, centred)
    fourth = rounding_divide_by_pot(multiply(square, square), 2)
    tail = rounding_divide_by_pot(multiply(fourth + cube, ONE_THIRD) + square, 1)
    return EXP_MINUS_ONE_EIGHTH + multiply(EXP_MINUS_ONE_EIGHTH, centred + tail)


def exp_on_negative_values(x: Integers, integer_bits: int) -> Integers:
    """exp of x <= 0 in Q(integer_bits), integer_bits <= 5, as Q0."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    last_quarter = (x & (quarter - 1)) - quarter
    result = _exp_of_last_quarter(shift_left_saturating(last_quarter, integer_bits))
    remainder = last_quarter - x
    for exponent, factor in enumerate(EXP_MINUS_POWERS, start=-2):
        if exponent < integer_bits:
            bit = remainder & (1 << (fraction_bits + exponent))
            result = np.where(bit != 0, multiply(result, factor), result)
    return np.where(x == 0, ONE, result)


def _reciprocal_of_half(x: Integers) -> Integers:
    """2 / (1 + x) of x in [0, 1] (Q0) as Q2, by three Newton steps."""
    half = (x + ONE + 1) // 2
    guess = NEWTON_CONSTANT + multiply(half, NEWTON_SLOPE)
    for _ in range(3):
        error = ONE_Q2 - multiply(half, guess)
        guess = guess + shift_left_saturating(multiply(guess, error), 2)
    return guess


def one_over_one_plus_x(x: Integers) -> Integers:
    """1 / (1 + x) of x in [0, 1], Q0 to Q0."""
    return shift_left_saturating(_reciprocal_of_half(x), 1)


def one_minus_x_over_one_plus_x(x: Integers) -> Integers:
    """(1 - x) / (1 + x) of x in [0, 1], Q0 to Q0."""
    return shift_left_saturating(_reciprocal_of_half(x) - ONE_Q2, 2)


def logistic(x: Integers, integer_bits: int) -> Integers:
    """1 / (1 + exp(-x)) of x in Q(integer_bits), as Q0; exactly 1/2 at 0."""
    positive = one_over_one_plus_x(exp_on_negative_values(-np.abs(x), integer_bits))
    return np.where(x == 0, 1 << 30, np.where(x > 0, positive, ONE - positive))


def tanh(x: Integers, integer_bits: int) -> Integers:
    """tanh of x in Q(integer_bits), as Q0: the raw x reads as 2x in the format with one more integer bit."""
    positive = one_minus_x_over_one_plus_x(exp_on_negative_values(-np.abs(x), integer_bits + 1))
    return np.where(x == 0, 0, np.where(x > 0, positive, -positive))


def count_leading_zeros(x: Integers) -> Integers:
    """Leading zero bits of x as a uint32, x >= 0."""
    return 32 - np.frexp(x.astype(np.float64))[1].astype(np.int64)


def reciprocal(x: Integers, integer_bits: int) -> tuple[Integers, Integers]:
    """1 / x of x > 0 in Q(integer_bits) as (Q0 mantissa, bits): 1 / x = mantissa / 2^bits."""
    headroom = count_leading_zeros(x)
    fraction = (x << headroom) - (1 << 31)
    return one_over_one_plus_x(fraction), integer_bits - headroom
