/* The learning rate where it and all values are less than 2**64 in magnitude; 0 where not.
 *
 * The bits of a float that are its exponent tell, those of infinity and NaN being the greatest.
 * Aliasing: output may be the rate. */
#ifndef TINYCC_CHECKED_RATE_H
#define TINYCC_CHECKED_RATE_H

#include "../shared/common.h"

/* A magnitude of two to the power of it counts as overflowed. */
#define TINYCC_OVERFLOW_EXPONENT 64

typedef struct {
    int32_t elements;
} tinycc_checked_rate_shape;

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_checked_rate_data;

TINYCC_INLINE uint32_t tinycc_float_bits(const float *value)
{
    uint32_t bits;
    memcpy(&bits, value, sizeof bits);
    return bits;
}

TINYCC_INLINE int tinycc_overflows(uint32_t bits)
{
    return (bits >> 23 & 0xFF) >= 127 + TINYCC_OVERFLOW_EXPONENT;
}

TINYCC_INLINE void tinycc_checked_rate_float32(const float *values, const float *rate, float *out_row,
                                               int32_t x0, int32_t x1, const tinycc_checked_rate_shape *shape,
                                               const tinycc_checked_rate_data *data)
{
    uint32_t all = tinycc_float_bits(rate);
    int overflows;
    (void)x0;
    (void)x1;
    (void)data;
    TINYCC_UNROLL
    for (int32_t i = 0; i < shape->elements; ++i) {
        all |= tinycc_float_bits(values + i);
    }
    /* No exponent is greater than that of all bits together, which mostly is small enough. */
    overflows = tinycc_overflows(all);
    if (overflows) {
        overflows = tinycc_overflows(tinycc_float_bits(rate));
        for (int32_t i = 0; i < shape->elements; ++i) {
            overflows |= tinycc_overflows(tinycc_float_bits(values + i));
        }
    }
    *out_row = overflows ? 0.0f : *rate;
}

#endif
