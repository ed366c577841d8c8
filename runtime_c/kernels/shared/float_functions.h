/* Functions of float32 without libm, by the polynomials of S. Moshier's Cephes library (expf.c, tanhf.c,
 * logf.c); that of erf was fitted to be as close as possible in the largest error.
 *
 * Errors are relative to the result, measured over all floats (tests/ops/test_float_functions.py):
 *   tinycc_exp: 9e-8 where the result is no denormal number; 0 below, infinity above.
 *   tinycc_tanh: 1.5e-7. tinycc_sigmoid: 1.8e-7 where the result is no denormal number.
 *   tinycc_reciprocal_root: 2.4e-7 of normal numbers above 0.
 *   tinycc_root: 9e-8; half a unit where the FPU has an instruction for it.
 *   tinycc_log: 8e-8. tinycc_log_of_more: 1.7e-7 of numbers from 0 to 1.
 *   tinycc_erf: 1.1e-7 where the result is no denormal number.
 * NaN gives NaN. */
#ifndef TINYCC_FLOAT_FUNCTIONS_H
#define TINYCC_FLOAT_FUNCTIONS_H

#include <math.h> /* for INFINITY; none of its functions is called */

#include "common.h"

/* 2 to the power of an integer from -126 to 127. */
TINYCC_INLINE float tinycc_power_of_two(int32_t exponent)
{
    const int32_t bits = (exponent + 127) << 23;
    float power;
    memcpy(&power, &bits, sizeof(power));
    return power;
}

/* exp(n * log(2) + rest): log(2) is taken off in two parts, of which the first has few bits. */
TINYCC_INLINE float tinycc_exp(float x)
{
    if (x > 88.72283f) {
        return INFINITY;
    }
    if (x < -87.33654f) {
        return 0.0f;
    }
    if (x != x) {
        return x;
    }
    const int32_t n = (int32_t)(x * 1.44269504f + (x < 0.0f ? -0.5f : 0.5f));
    const float rest = (x - (float)n * 0.693359375f) + (float)n * 2.12194440e-4f;
    float series = 1.9875691500e-4f;
    series = series * rest + 1.3981999507e-3f;
    series = series * rest + 8.3334519073e-3f;
    series = series * rest + 4.1665795894e-2f;
    series = series * rest + 1.6666665459e-1f;
    series = series * rest + 5.0000001201e-1f;
    const float result = series * rest * rest + rest + 1.0f;
    const int32_t half = n / 2;
    return result * tinycc_power_of_two(half) * tinycc_power_of_two(n - half);
}

/* 1 / sqrt(x), x above 0: Newton's steps from a guess that halves the exponent. */
TINYCC_INLINE float tinycc_reciprocal_root(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    bits = 0x5F3759DF - (bits >> 1);
    float root;
    memcpy(&root, &bits, sizeof(root));
    TINYCC_UNROLL
    for (int32_t step = 0; step < 4; ++step) {
        root *= 1.5f - 0.5f * x * root * root;
    }
    return root;
}

TINYCC_INLINE float tinycc_root(float x)
{
#if defined(__ARM_FP) && (__ARM_FP & 4)
    float root;
    __asm__("vsqrt.f32 %0, %1" : "=t"(root) : "t"(x));
    return root;
#elif defined(__riscv_flen)
    float root;
    __asm__("fsqrt.s %0, %1" : "=f"(root) : "f"(x));
    return root;
#else
    if (!(x > 0.0f) || x == INFINITY) {
        return x < 0.0f ? NAN : x;
    }
    /* Denormal numbers have no exponent that could be halved. */
    const float factor = x < 1.17549435e-38f ? 16777216.0f : 1.0f;
    const float scaled = x * factor;
    const float root = scaled * tinycc_reciprocal_root(scaled);
    return 0.5f * (root + scaled / root) / (factor > 1.0f ? 4096.0f : 1.0f);
#endif
}

/* x is 2^exponent * (1 + rest), rest from sqrt(0.5) - 1 to sqrt(2) - 1. */
TINYCC_INLINE float tinycc_log(float x)
{
    if (!(x > 0.0f) || x == INFINITY) {
        return x < 0.0f ? NAN : (x == 0.0f ? -INFINITY : x);
    }
    int32_t bits;
    const float scaled = x < 1.17549435e-38f ? x * 8388608.0f : x;
    memcpy(&bits, &scaled, sizeof(bits));
    /* The bits of sqrt(0.5) are taken off, so that what is left of the exponent is that of x / sqrt(0.5). */
    const int32_t exponent = (bits - 0x3F3504F3) >> 23;
    bits -= exponent * 8388608;
    float rest;
    memcpy(&rest, &bits, sizeof(rest));
    rest -= 1.0f;
    const float power = (float)(exponent - (scaled == x ? 0 : 23));
    const float square = rest * rest;
    float series = 7.0376836292e-2f;
    series = series * rest - 1.1514610310e-1f;
    series = series * rest + 1.1676998740e-1f;
    series = series * rest - 1.2420140846e-1f;
    series = series * rest + 1.4249322787e-1f;
    series = series * rest - 1.6668057665e-1f;
    series = series * rest + 2.0000714765e-1f;
    series = series * rest - 2.4999993993e-1f;
    series = series * rest + 3.3333331174e-1f;
    const float small = series * rest * square - power * 2.12194440e-4f - 0.5f * square;
    return rest + small + power * 0.693359375f;
}

/* log(1 + x), x from 0 to 1: what is lost where 1 is added is made good by a factor. */
TINYCC_INLINE float tinycc_log_of_more(float x)
{
    const float more = 1.0f + x;
    return more > 1.0f ? tinycc_log(more) * (x / (more - 1.0f)) : x;
}

/* Beyond 0.875 the logarithm of 1 - erf(x) is a polynomial. */
TINYCC_INLINE float tinycc_erf(float x)
{
    const float size = x < 0.0f ? -x : x;
    if (size >= 3.95f) {
        return x < 0.0f ? -1.0f : 1.0f;
    }
    if (size >= 0.875f) {
        float series = 1.999022788e-4f;
        series = series * size - 3.082004143e-3f;
        series = series * size + 2.238105983e-2f;
        series = series * size - 1.042502597e-1f;
        series = series * size - 6.368206143e-1f;
        series = series * size - 1.127889395f;
        series = series * size - 1.442041830e-4f;
        const float result = 1.0f - tinycc_exp(series);
        return x < 0.0f ? -result : result;
    }
    const float square = x * x;
    float series = -6.222421071e-4f;
    series = series * square + 5.035871640e-3f;
    series = series * square - 2.679395489e-2f;
    series = series * square + 1.128252447e-1f;
    series = series * square - 3.761255741e-1f;
    series = series * square + 1.283791512e-1f;
    return series * x + x;
}

/* The whole number next to x towards 0. */
TINYCC_INLINE float tinycc_truncate(float x)
{
    return x > -8388608.0f && x < 8388608.0f ? (float)(int32_t)x : x;
}

TINYCC_INLINE float tinycc_floor(float x)
{
    const float whole = tinycc_truncate(x);
    return whole > x ? whole - 1.0f : whole;
}

/* To nearest, from the middle to the even one. */
TINYCC_INLINE float tinycc_round(float x)
{
    const float below = tinycc_floor(x);
    const float part = x - below;
    const float is_odd = below - 2.0f * tinycc_floor(0.5f * below);
    return part > 0.5f || (part == 0.5f && is_odd > 0.0f) ? below + 1.0f : below;
}

TINYCC_INLINE float tinycc_sigmoid(float x)
{
    const float falling = tinycc_exp(x < 0.0f ? x : -x);
    return (x < 0.0f ? falling : 1.0f) / (1.0f + falling);
}

TINYCC_INLINE float tinycc_tanh(float x)
{
    const float size = x < 0.0f ? -x : x;
    if (size >= 0.625f) {
        const float result = 1.0f - 2.0f / (tinycc_exp(2.0f * size) + 1.0f);
        return x < 0.0f ? -result : result;
    }
    const float square = x * x;
    float series = -5.70498872745e-3f;
    series = series * square + 2.06390887954e-2f;
    series = series * square - 5.37397155531e-2f;
    series = series * square + 1.33314422036e-1f;
    series = series * square - 3.33332819422e-1f;
    return series * square * x + x;
}

#endif
