/* A gradient of real numbers as integers: out[x] = gradient[x] / 2**exponent, rounded to nearest with halves
 * up; 0 for what is not finite. The exponent is that of gradient_exponent.h.
 *
 * Aliasing: output must not overlap what is read. */
#ifndef TINYCC_QUANTIZE_GRADIENT_H
#define TINYCC_QUANTIZE_GRADIENT_H

#include "../shared/gradient_integers.h"

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_quantize_gradient_shape;

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_quantize_gradient_data;

TINYCC_INLINE void tinycc_quantize_gradient_float32(const float *gradient, const int32_t *exponent,
                                                    int32_t *out_row, int32_t x0, int32_t x1,
                                                    const tinycc_quantize_gradient_shape *shape,
                                                    const tinycc_quantize_gradient_data *data)
{
    (void)shape;
    (void)data;
    for (int32_t x = x0; x < x1; ++x) {
        const tinycc_gradient_factor parts =
            tinycc_gradient_factor_of(gradient[x], -*exponent - TINYCC_GRADIENT_RANDOM_BITS);
        const int32_t right = tinycc_min(-parts.shift, TINYCC_GRADIENT_MOST_SHIFT);
        out_row[x] =
            right > 0 ? tinycc_round_right(parts.mantissa, right) : tinycc_shift_left(parts.mantissa, -right);
    }
}

#endif
