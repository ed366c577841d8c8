/* exp(x) and 1/(1+x) on 32-bit fixed point. Qk.m: an int32 that stands for value / 2**m, m = 31 - k.
 *
 * Reference: gemmlowp's fixed-point functions, to the bit. Their rounding doubling high product a * b / 2**31
 * is written as a * c / 2**32 with c = 2 b, or where that does not fit as a + a * c / 2**32 with c = 2 b -
 * 2**32: the same number is rounded. */
#ifndef TINYCC_EXPONENTIAL_H
#define TINYCC_EXPONENTIAL_H

#include "../dsp/dsp.h"

/* (a * b) / 2**32, rounded to nearest with halves up. */
#if TINYCC_HAS_DSP
TINYCC_INLINE int32_t tinycc_round_high(int32_t a, int32_t b)
{
    int32_t result;
    __asm__("smmulr %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
}
#elif defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1
/* There is no long product: of halves, the lowest 16 bits being of no account. */
TINYCC_SHARED int32_t tinycc_round_high(int32_t a, int32_t b)
{
    const int32_t a_high = a >> 16, b_high = b >> 16;
    const uint32_t a_low = (uint16_t)a, b_low = (uint16_t)b;
    const int32_t left = (int32_t)((uint32_t)a_high * b_low);
    const int32_t right = (int32_t)((uint32_t)b_high * a_low);
    const uint32_t rest = (a_low * b_low >> 16) + (uint16_t)left + (uint16_t)right + 0x8000U;
    return a_high * b_high + (left >> 16) + (right >> 16) + (int32_t)(rest >> 16);
}
#else
TINYCC_INLINE int32_t tinycc_round_high(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 31)) >> 32);
}
#endif

/* a + (a * b) / 2**32, rounded in the same way. */
TINYCC_INLINE int32_t tinycc_round_high_plus(int32_t a, int32_t b)
{
#if TINYCC_HAS_DSP
    int32_t result;
    __asm__("smmlar %0, %1, %2, %1" : "=r"(result) : "r"(a), "r"(b));
    return result;
#else
    return a + tinycc_round_high(a, b);
#endif
}

/* exp(x) of x in [-1/4, 0), Q0.31 to Q0.31: exp(-1/8) times a polynomial of degree four in x + 1/8. */
TINYCC_INLINE int32_t tinycc_exp_last_quarter(int32_t x)
{
    const int32_t exp_minus_eighth = 1895147668;
    const int32_t third = 715827883;
    const int32_t centred = x + (1 << 28);
    const int32_t square = tinycc_round_high(centred, 2 * centred);
    const int32_t cube = tinycc_round_high(square, 2 * centred);
    const int32_t quarter_fourth = (tinycc_round_high(square, 2 * square) + 2) >> 2;
    /* Not negative: the square is at least eight times the cube. */
    const int32_t tail = (tinycc_round_high(quarter_fourth + cube, 2 * third) + square + 1) >> 1;
    return exp_minus_eighth + tinycc_round_high_plus(centred + tail, 2 * (exp_minus_eighth - INT32_MAX - 1));
}

/* value * factor / 2**31 where `bits` has the bit, else value. */
TINYCC_INLINE int32_t tinycc_exp_step(int32_t value, int32_t bits, int32_t bit, int32_t factor)
{
    if ((bits & ((int32_t)1 << bit)) == 0) {
        return value;
    }
    return factor < 1 << 30 ? tinycc_round_high(value, 2 * factor)
                            : tinycc_round_high_plus(value, 2 * (factor - INT32_MAX - 1));
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
    const int32_t factor = 2 * (half - INT32_MAX - 1);
    int32_t estimate = 1515870810 + tinycc_round_high(half, 2 * -1010580540);
    for (int step = 0; step < 3; ++step) {
        const int32_t error = one - tinycc_round_high_plus(estimate, factor);
        estimate += tinycc_round_high(estimate, 2 * error) * 4;
    }
    return estimate > INT32_MAX / 2 ? INT32_MAX : estimate * 2;
}

/* Leading zero bits of a positive number. */
TINYCC_INLINE int32_t tinycc_leading_zeros(uint32_t value)
{
#if defined(__ARM_FEATURE_CLZ) && defined(__GNUC__)
    return __builtin_clz(value);
#else
    int32_t zeros = 0;
    if (value < 1u << 24) {
        value <<= 8;
        zeros = 8;
    }
    while ((value & 0x80000000u) == 0) {
        value <<= 1;
        ++zeros;
    }
    return zeros;
#endif
}

#endif
