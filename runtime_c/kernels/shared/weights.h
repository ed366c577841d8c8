/* Weights of eight bits, and of four, of which two are in a byte: in [-8, 7], the first in the lower half.
 *
 * For kernels that are made for both, `bits` being 8 or 4:
 *     tinycc_weight_bytes_<bits>   what `count` weights take
 *     tinycc_weight_byte_<bits>    the byte of the weight at an index
 *     tinycc_weight_place_<bits>   which of the weights in that byte it is
 *     tinycc_weight_<bits>         the weight at an index from a byte on
 *     tinycc_dots_<bits>           sums of products of some outputs
 * Indices are not negative. */
#ifndef TINYCC_WEIGHTS_H
#define TINYCC_WEIGHTS_H

#include "common.h"

TINYCC_INLINE int32_t tinycc_weight_bytes_8(int32_t count)
{
    return count;
}

TINYCC_INLINE int32_t tinycc_weight_byte_8(int32_t index)
{
    return index;
}

TINYCC_INLINE int32_t tinycc_weight_place_8(int32_t index)
{
    (void)index;
    return 0;
}

TINYCC_INLINE int32_t tinycc_weight_8(const int8_t *weights, int32_t byte, int32_t index)
{
    return weights[byte + index];
}

/* sums[k] += sum over count elements of input[i] * (weight i of output k - weight_zero_point); outputs are
 * `stride` bytes apart. place: which of the weights in the first byte is weight 0.
 * Each input element is loaded once for all outputs. */
TINYCC_INLINE void tinycc_dots_8(int32_t *sums, int32_t outputs, const int8_t *input, const int8_t *weights,
                                 int32_t place, int32_t stride, int32_t count, int32_t weight_zero_point)
{
    (void)place;
    TINYCC_UNROLL
    for (int32_t i = 0; i < count; ++i) {
        const int32_t value = input[i];
        TINYCC_UNROLL
        for (int32_t k = 0; k < outputs; ++k) {
            sums[k] += value * (weights[k * stride] - weight_zero_point);
        }
        ++weights;
    }
}

TINYCC_INLINE int32_t tinycc_low_half(int8_t byte)
{
    return (int32_t)((uint32_t)byte << 28) >> 28;
}

TINYCC_INLINE int32_t tinycc_high_half(int8_t byte)
{
    return byte >> 4;
}

TINYCC_INLINE int32_t tinycc_weight_bytes_4(int32_t count)
{
    return (count + 1) >> 1;
}

TINYCC_INLINE int32_t tinycc_weight_byte_4(int32_t index)
{
    return index >> 1;
}

TINYCC_INLINE int32_t tinycc_weight_place_4(int32_t index)
{
    return index & 1;
}

TINYCC_INLINE int32_t tinycc_weight_4(const int8_t *weights, int32_t byte, int32_t index)
{
    const int8_t both = weights[byte + (index >> 1)];
    return index & 1 ? tinycc_high_half(both) : tinycc_low_half(both);
}

/* Weights of four bits have no zero point. */
TINYCC_INLINE void tinycc_dots_4(int32_t *sums, int32_t outputs, const int8_t *input, const int8_t *weights,
                                 int32_t place, int32_t stride, int32_t count, int32_t weight_zero_point)
{
    const int32_t before = count > 0 ? place : 0;
    const int32_t whole = (count - before) >> 1;
    (void)weight_zero_point;
    if (before) {
        const int32_t value = *input++;
        TINYCC_UNROLL
        for (int32_t k = 0; k < outputs; ++k) {
            sums[k] += value * tinycc_high_half(weights[k * stride]);
        }
        ++weights;
    }
    for (int32_t i = 0; i < whole; ++i) {
        const int32_t first = input[0], second = input[1];
        TINYCC_UNROLL
        for (int32_t k = 0; k < outputs; ++k) {
            const int8_t both = weights[k * stride];
            sums[k] += first * tinycc_low_half(both) + second * tinycc_high_half(both);
        }
        input += 2;
        ++weights;
    }
    if ((count - before) & 1) {
        const int32_t value = *input;
        TINYCC_UNROLL
        for (int32_t k = 0; k < outputs; ++k) {
            sums[k] += value * tinycc_low_half(weights[k * stride]);
        }
    }
}

#endif
