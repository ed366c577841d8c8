/* Functions of float32 without libm, by the polynomials of S. Moshier's Cephes library (expf.c, tanhf.c).
 *
 * Errors are relative to the result, measured over all floats (tests/ops/test_float_functions.py):
 *   tinycc_exp: 9e-8 where the result is no denormal number; 0 below, infinity above.
 *   tinycc_tanh: 1.5e-7. tinycc_sigmoid: 1.8e-7 where the result is no denormal number.
 *   tinycc_reciprocal_root: 2.4e-7 of normal numbers above 0.
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
