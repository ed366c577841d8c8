/* Weighted sums of float32, for kernels of layers: several outputs of several pixels together.
 *
 * Weights of a block of outputs lie tap by tap, [taps][outputs of the block], blocks one after the other: a
 * last, smaller block has fewer outputs. An element of the input is loaded once for all outputs of a block, a
 * weight once for all pixels, and no sum waits for the one before it.
 *
 * Where the core has it, a product and its sum are one instruction and rounded once. */
#ifndef TINYCC_FLOAT_SUMS_H
#define TINYCC_FLOAT_SUMS_H

#include <math.h> /* for INFINITY, which a range without bounds has; none of its functions is called */

#include "common.h"

/* Outputs and pixels that are summed together: eight sums, four weights and two inputs leave half of the 32
 * registers of an FPU free. */
#define TINYCC_FLOAT_OUTPUTS 4
#define TINYCC_FLOAT_PIXELS 2

#if defined(__FP_FAST_FMAF) || defined(__ARM_FEATURE_FMA)
#define TINYCC_MULTIPLY_ADD(a, b, sum) __builtin_fmaf(a, b, sum)
#else
#define TINYCC_MULTIPLY_ADD(a, b, sum) ((sum) + (a) * (b))
#endif

/* NaN stays NaN. */
TINYCC_INLINE float tinycc_clamp_float32(float value, float low, float high)
{
    return value < low ? low : (value > high ? high : value);
}

/* The taps [first, end) of a row of a window that are no padding. */
typedef struct {
    int32_t first;
    int32_t end;
} tinycc_float_taps;

TINYCC_INLINE tinycc_float_taps tinycc_float_inside(int32_t left, int32_t taps, int32_t dilation,
                                                    int32_t width)
{
    tinycc_float_taps inside = {0, taps};
    while (inside.first < taps && left + inside.first * dilation < 0) {
        ++inside.first;
    }
    while (inside.end > inside.first && left + (inside.end - 1) * dilation >= width) {
        --inside.end;
    }
    return inside;
}

/* sums[p][k] += sum over `count` taps of input[p * pitch + i] * weights[i * weight_pitch + k] */
TINYCC_INLINE void tinycc_float_sums(float sums[][TINYCC_FLOAT_OUTPUTS], int32_t pixels, int32_t outputs,
                                     const float *input, int32_t pitch, const float *weights,
                                     int32_t weight_pitch, int32_t count)
{
    TINYCC_UNROLL_TWICE
    for (int32_t i = 0; i < count; ++i) {
        TINYCC_UNROLL
        for (int32_t k = 0; k < outputs; ++k) {
            TINYCC_UNROLL
            for (int32_t p = 0; p < pixels; ++p) {
                sums[p][k] = TINYCC_MULTIPLY_ADD(input[p * pitch + i], weights[k], sums[p][k]);
            }
        }
        weights += weight_pitch;
    }
}

/* sums[p][k] = bias[k] */
TINYCC_INLINE void tinycc_float_sums_begin(float sums[][TINYCC_FLOAT_OUTPUTS], int32_t pixels,
                                           int32_t outputs, const float *bias)
{
    TINYCC_UNROLL
    for (int32_t k = 0; k < outputs; ++k) {
        TINYCC_UNROLL
        for (int32_t p = 0; p < pixels; ++p) {
            sums[p][k] = bias[k];
        }
    }
}

/* output[p * pitch + k] = clamp(sums[p][k]) */
TINYCC_INLINE void tinycc_float_sums_end(float sums[][TINYCC_FLOAT_OUTPUTS], int32_t pixels, int32_t outputs,
                                         float *output, int32_t pitch, float low, float high)
{
    TINYCC_UNROLL
    for (int32_t p = 0; p < pixels; ++p) {
        TINYCC_UNROLL
        for (int32_t k = 0; k < outputs; ++k) {
            output[p * pitch + k] = tinycc_clamp_float32(sums[p][k], low, high);
        }
    }
}

#endif
