/* Sums of gradients times int8 weights, for several pixels and several inputs of a layer together.
 *
 * A weight is made a real number once for all pixels, a gradient is loaded once for all inputs, and no sum
 * waits for the one before it. A product is rounded before it is added, so that every machine has the same
 * bits: see -ffp-contract=off. */
#ifndef TINYCC_GRADIENT_SUMS_H
#define TINYCC_GRADIENT_SUMS_H

#include "common.h"

/* Pixels and inputs that are summed together: with as many gradients, a weight and a product, 22 of the 32
 * registers of an FPU. */
#define TINYCC_GRADIENT_PIXELS 4
#define TINYCC_GRADIENT_INPUTS 4

/* sums[p][i] += sum over o < count, ascending, of gradient[p * pitch + o] * weights[o * weight_pitch + i] */
TINYCC_INLINE void tinycc_gradient_sums(float sums[][TINYCC_GRADIENT_INPUTS], int32_t pixels, int32_t inputs,
                                        const float *gradient, int32_t pitch, const int8_t *weights,
                                        int32_t weight_pitch, int32_t count)
{
    for (int32_t o = 0; o < count; ++o) {
        float values[TINYCC_GRADIENT_PIXELS];
        TINYCC_UNROLL
        for (int32_t p = 0; p < pixels; ++p) {
            values[p] = gradient[p * pitch + o];
        }
        TINYCC_UNROLL
        for (int32_t i = 0; i < inputs; ++i) {
            const float weight = (float)weights[i];
            TINYCC_UNROLL
            for (int32_t p = 0; p < pixels; ++p) {
                sums[p][i] += values[p] * weight;
            }
        }
        weights += weight_pitch;
    }
}

#endif
