/* Requantization of the 64-bit sums of int16 activations. */
#ifndef TINYCC_WIDE_H
#define TINYCC_WIDE_H

#include "common.h"

/* sum * multiplier * 2**(shift - 15), rounded once, halves up; the multiplier has 15 fractional bits and
 * shift is in
 * [-31, 7]. Reference: TFLite's 16x8 specification, MultiplyByQuantizedMultiplier of int64. */
TINYCC_INLINE int32_t tinycc_requantize_wide(int64_t sum, int32_t multiplier, int32_t shift)
{
    const int32_t right = 15 - shift;
    return (int32_t)((sum * multiplier + ((int64_t)1 << (right - 1))) >> right);
}

#endif
