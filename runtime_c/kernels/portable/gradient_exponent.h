/* The exponent of a gradient once it is shifted to as many bits as are wanted:
 *
 *   of real numbers, so that the greatest magnitude is in [2**29, 2**30)
 *   of integers, before + the bits that they have, their signs left out, - 15; before where all are 0
 *
 * The exponent of real numbers is -155 at least, and TINYCC_GRADIENT_NOT_FINITE where one is not finite. */
#ifndef TINYCC_GRADIENT_EXPONENT_H
#define TINYCC_GRADIENT_EXPONENT_H

#include "../shared/gradient_integers.h"

typedef struct {
    int32_t elements;
} tinycc_gradient_exponent_shape;

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_gradient_exponent_data;

TINYCC_INLINE void tinycc_gradient_exponent_float32(const float *gradient, int32_t *out_row, int32_t x0,
                                                    int32_t x1, const tinycc_gradient_exponent_shape *shape,
                                                    const tinycc_gradient_exponent_data *data)
{
    uint32_t greatest = 1;
    (void)x0;
    (void)x1;
    (void)data;
    for (int32_t i = 0; i < shape->elements; ++i) {
        uint32_t bits;
        memcpy(&bits, &gradient[i], sizeof(bits));
        bits = bits >> 23 & 0xFF;
        greatest = bits > greatest ? bits : greatest;
    }
    *out_row = greatest == 0xFF ? TINYCC_GRADIENT_NOT_FINITE : (int32_t)greatest - 156;
}

/* before + bits - 15, of all elements' bits together. */
TINYCC_INLINE int32_t tinycc_gradient_exponent_of(uint32_t bits, int32_t before)
{
    int32_t exponent = bits != 0 ? before - 15 : before;
    for (; bits != 0; bits >>= 1) {
        ++exponent;
    }
    return exponent;
}

/* Elements below 0 have the bits of their complement. */
#define TINYCC_DEFINE_GRADIENT_EXPONENT(element, type)                                                       \
    TINYCC_INLINE void tinycc_gradient_exponent_##element(                                                   \
        const type *gradient, const int32_t *before, int32_t *out_row, int32_t x0, int32_t x1,               \
        const tinycc_gradient_exponent_shape *shape, const tinycc_gradient_exponent_data *data)              \
    {                                                                                                        \
        int32_t bits = 0;                                                                                    \
        (void)x0;                                                                                            \
        (void)x1;                                                                                            \
        (void)data;                                                                                          \
        TINYCC_UNROLL                                                                                        \
        for (int32_t i = 0; i < shape->elements; ++i) {                                                      \
            const int32_t value = gradient[i];                                                               \
            bits |= value ^ value >> 31;                                                                     \
        }                                                                                                    \
        *out_row = tinycc_gradient_exponent_of((uint32_t)bits, *before);                                     \
    }

TINYCC_DEFINE_GRADIENT_EXPONENT(int16, int16_t)
TINYCC_DEFINE_GRADIENT_EXPONENT(int32, int32_t)

#undef TINYCC_DEFINE_GRADIENT_EXPONENT

#endif
