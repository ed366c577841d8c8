/* Sums of gradients of integers times int8 weights, for several pixels and several inputs of a layer
 * together, so that what is loaded is used more than once. No sum overflows: gradients have no more bits than
 * that. */
#ifndef TINYCC_GRADIENT_SUMS_INT16_H
#define TINYCC_GRADIENT_SUMS_INT16_H

#include "any_type.h"
#include "common.h"

/* Pixels and inputs that are summed together; Armv6-M has eight registers to compute in. */
#define TINYCC_GRADIENT_PIXELS_INT16 2
#define TINYCC_GRADIENT_INPUTS_INT16 2

/* sums[p][i] += sum over o < count of gradient[p * pitch + o] * weights[o * weight_pitch + i] */
TINYCC_INLINE void tinycc_gradient_sums_int16(int32_t sums[][TINYCC_GRADIENT_INPUTS_INT16], int32_t pixels,
                                              int32_t inputs, const tinycc_any_int16 *gradient, int32_t pitch,
                                              const int8_t *weights, int32_t weight_pitch, int32_t count)
{
    for (int32_t o = 0; o < count; ++o) {
        int32_t values[TINYCC_GRADIENT_PIXELS_INT16];
        TINYCC_UNROLL
        for (int32_t p = 0; p < pixels; ++p) {
            values[p] = gradient[p * pitch + o];
        }
        TINYCC_UNROLL
        for (int32_t i = 0; i < inputs; ++i) {
            const int32_t weight = weights[i];
            TINYCC_UNROLL
            for (int32_t p = 0; p < pixels; ++p) {
                sums[p][i] += values[p] * weight;
            }
        }
        weights += weight_pitch;
    }
}

#endif
