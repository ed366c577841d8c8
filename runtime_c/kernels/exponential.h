/* exp(x) and 1/(1+x) on 32-bit fixed point. Qk.m: an int32 that stands for value / 2**m, m = 31 - k.
 *
 * Reference: gemmlowp's fixed-point functions, to the bit. */
#ifndef TINYCC_EXPONENTIAL_H
#define TINYCC_EXPONENTIAL_H

#include "common.h"

/* exp(x) of x in [-1/4, 0), Q0.31 to Q0.31: exp(-1/8) times a polynomial of degree four in x + 1/8. */
TINYCC_INLINE int32_t tinycc_exp_last_quarter(int32_t x)
{
    const int32_t exp_minus_eighth = 1895147668;
    const int32_t third = 715827883;
    const int32_t centred = x + (1 << 28);
    const int32_t square = tinycc_multiply_high(centred, centred);
    const int32_t cube = tinycc_multiply_high(square, centred);
    const int32_t quarter_fourth = tinycc_divide_by_power(tinycc_multiply_high(square, square), 2);
    const int32_t tail =
        tinycc_divide_by_power(tinycc_multiply_high(quarter_fourth + cube, third) + square, 1);
    return exp_minus_eighth + tinycc_multiply_high(exp_minus_eighth, centred + tail);
}

/* value * factor where `bits` has the bit, else value. */
TINYCC_INLINE int32_t tinycc_exp_step(int32_t value, int32_t bits, int32_t bit, int32_t factor)
{
    return (bits & ((int32_t)1 << bit)) != 0 ? tinycc_multiply_high(value, factor) : value;
}

/* exp(x) of x <= 0, Q5.26 to Q0.31: the last quarter by polynomial, then a factor for each bit of the rest.
 */
TINYCC_INLINE int32_t tinycc_exp_of_negative(int32_t x)
{
    if (x == 0) {
        return INT32_MAX;
    }
    const int32_t quarter = (int32_t)1 << 24;
    const int32_t last = (x & (quarter - 1)) - quarter;
    const int32_t rest = last - x;
    int32_t result = tinycc_exp_last_quarter(last * 32);
    result = tinycc_exp_step(result, rest, 24, 1672461947); /* exp(-1/4) */
    result = tinycc_exp_step(result, rest, 25, 1302514674); /* exp(-1/2) */
    result = tinycc_exp_step(result, rest, 26, 790015084);  /* exp(-1) */
    result = tinycc_exp_step(result, rest, 27, 290630308);  /* exp(-2) */
    result = tinycc_exp_step(result, rest, 28, 39332535);   /* exp(-4) */
    result = tinycc_exp_step(result, rest, 29, 720401);     /* exp(-8) */
    return tinycc_exp_step(result, rest, 30, 242);          /* exp(-16) */
}

/* 1 / (1 + x) of x in [0, 1), Q0.31 to Q0.31, by three of Newton's steps from 48/17 - 32/17 (1 + x) / 2. */
TINYCC_INLINE int32_t tinycc_one_over_one_plus(int32_t x)
{
    const int32_t one = (int32_t)1 << 29; /* Q2.29, like the estimate */
    const int32_t half = (int32_t)(((uint32_t)x + 0x80000000u) >> 1);
    int32_t estimate = 1515870810 + tinycc_multiply_high(half, -1010580540);
    for (int step = 0; step < 3; ++step) {
        const int32_t error = one - tinycc_multiply_high(half, estimate);
        estimate += tinycc_multiply_high(estimate, error) * 4;
    }
    return estimate > INT32_MAX / 2 ? INT32_MAX : estimate * 2;
}

/* Leading zero bits of a positive number. */
TINYCC_INLINE int32_t tinycc_leading_zeros(uint32_t value)
{
    int32_t zeros = 0;
    while ((value & 0x80000000u) == 0) {
        value <<= 1;
        ++zeros;
    }
    return zeros;
}

#endif
