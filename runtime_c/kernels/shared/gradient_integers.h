/* Gradients as integers * 2**(exponent + offset): shifts, and updates of weights by them.
 *
 *   change = floor(factor * sum * 2**exponent + u)
 *
 * in integers of 64 bits, factor * sum * 2**exponent rounded down to 24 bits behind the point and held to
 * [-bound, bound], u as in update.h. The same in Relax: tinycc/ops/gradient_integers.py, integer_update.py.
 */
#ifndef TINYCC_GRADIENT_INTEGERS_H
#define TINYCC_GRADIENT_INTEGERS_H

#include "any_type.h"
#include "update.h"

/* A shift after which nothing is left of an int32. */
#define TINYCC_GRADIENT_MOST_SHIFT 31
/* The exponent of a gradient that is not finite: whatever is finite becomes 0 by it. */
#define TINYCC_GRADIENT_NOT_FINITE 256

/* Of a factor and of a gradient, once they are multiplied; the product keeps 2 * 15 - bits of them. */
#define TINYCC_GRADIENT_PRODUCT_BITS 30
/* Behind the point of a change before it is rounded. */
#define TINYCC_GRADIENT_RANDOM_BITS 24

/* Elements of memory that holds others, of another type, at the same time. */
TINYCC_INLINE int32_t tinycc_gradient_load_int16(const int16_t *place)
{
    return *(const tinycc_any_int16 *)place;
}

TINYCC_INLINE int32_t tinycc_gradient_load_int32(const int32_t *place)
{
    return *(const tinycc_any_int32 *)place;
}

TINYCC_INLINE void tinycc_gradient_store_int16(int16_t *place, int32_t value)
{
    *(tinycc_any_int16 *)place = (int16_t)value;
}

/* value / 2**shift, rounded to nearest with halves up; shift in [1, 31]. */
TINYCC_INLINE int32_t tinycc_round_right(int32_t value, int32_t shift)
{
    return ((value >> (shift - 1)) + 1) >> 1;
}

/* value * 2**shift, of which the value has room for all bits. */
TINYCC_INLINE int32_t tinycc_shift_left(int32_t value, int32_t shift)
{
    return (int32_t)((uint32_t)value << shift);
}

/* The product of two integers of 15 bits, rounded to `bits` with halves up. */
TINYCC_INLINE int32_t tinycc_gradient_product(int32_t value, int32_t factor, int32_t bits)
{
    return tinycc_round_right(value * factor, TINYCC_GRADIENT_PRODUCT_BITS - bits);
}

/* A float number, times a power of two, as mantissa * 2**(shift - 24). */
typedef struct {
    int32_t mantissa; /* of 24 bits */
    int32_t shift;
} tinycc_gradient_factor;

/* factor * 2**exponent; 0 where it is not finite. */
TINYCC_INLINE tinycc_gradient_factor tinycc_gradient_factor_of(float factor, int32_t exponent)
{
    tinycc_gradient_factor parts = {0, 0};
    uint32_t bits;
    memcpy(&bits, &factor, sizeof(bits));
    const int32_t field = (int32_t)(bits >> 23 & 0xFF);
    if (field != 0xFF) {
        const int32_t magnitude = (int32_t)(bits & 0x7FFFFF) | (field > 0 ? 0x800000 : 0);
        parts.mantissa = bits >> 31 ? -magnitude : magnitude;
        parts.shift = (field > 0 ? field : 1) - 150 + exponent + TINYCC_GRADIENT_RANDOM_BITS;
    }
    return parts;
}

/* floor(factor * sum + random / 2**24), factor * sum held to [-bound, bound]; |sum| less than 2**39. */
TINYCC_INLINE int32_t tinycc_gradient_change(tinycc_gradient_factor factor, int64_t sum, int32_t bound,
                                             uint32_t random)
{
    const int64_t most = (int64_t)bound << TINYCC_GRADIENT_RANDOM_BITS;
    int64_t delta = sum * factor.mantissa;
    if (factor.shift <= 0) {
        delta >>= factor.shift < -63 ? 63 : -factor.shift;
    } else {
        const int64_t limit = factor.shift > 62 ? 0 : most >> factor.shift;
        delta = delta > limit ? most : (delta < -limit ? -most : delta * ((int64_t)1 << factor.shift % 63));
    }
    delta = delta < -most ? -most : (delta > most ? most : delta);
    return (int32_t)((delta + (int64_t)random) >> TINYCC_GRADIENT_RANDOM_BITS);
}

/* The same for a sum of 32 bits, with one rounding down, for it does not matter whether a quotient is rounded
 * before a whole number is added or after; and held once it is divided. */
TINYCC_INLINE int32_t tinycc_gradient_change_int32(tinycc_gradient_factor factor, int32_t sum, int32_t bound,
                                                   uint32_t random)
{
    const int32_t right = TINYCC_GRADIENT_RANDOM_BITS - factor.shift;
    if (right > 24 && right < 63) {
        /* The upper half of the sum is shifted; a mantissa has room for seven places. */
        const int32_t left = right < 32 ? 32 - right : 0;
        const int64_t product = (int64_t)sum * (factor.mantissa * ((int32_t)1 << left));
        const int64_t delta = product + (int64_t)((uint64_t)random << (left - factor.shift));
        return tinycc_clamp((int32_t)(delta >> 32) >> (right + left - 32), -bound, bound);
    }
    return tinycc_gradient_change(factor, sum, bound, random);
}

/* What is added to a change of an element. */
TINYCC_INLINE uint32_t tinycc_gradient_random(uint32_t key, int32_t element, int32_t is_stochastic)
{
    return is_stochastic ? tinycc_mix(key + (uint32_t)element * 0x9E3779B9u) >> 8
                         : (uint32_t)1 << (TINYCC_GRADIENT_RANDOM_BITS - 1);
}

#endif
