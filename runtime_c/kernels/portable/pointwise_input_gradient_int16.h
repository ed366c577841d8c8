/* Gradient of integers of the input of a 1x1 convolution or a dense layer, from that of its sums: see
 * pointwise_input_gradient.h.
 *
 * Aliasing: output pixels in ascending order, up to TINYCC_GRADIENT_PIXELS_INT16 neighbours together, which
 * are written while they are read. */
#ifndef TINYCC_POINTWISE_INPUT_GRADIENT_INT16_H
#define TINYCC_POINTWISE_INPUT_GRADIENT_INT16_H

#include "../shared/gradient_sums_int16.h"

typedef struct {
    int32_t gradient_channels;
    int32_t output_channels;
} tinycc_pointwise_input_gradient_int16_shape;

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_pointwise_input_gradient_int16_data;

/* Inputs [i, i + inputs) of `pixels` neighbours. */
TINYCC_INLINE void
tinycc_pointwise_input_gradient_block_int16(const int16_t *gradient, const int8_t *weights, int32_t *output,
                                            int32_t pixels, int32_t i, int32_t inputs,
                                            const tinycc_pointwise_input_gradient_int16_shape *shape)
{
    int32_t sums[TINYCC_GRADIENT_PIXELS_INT16][TINYCC_GRADIENT_INPUTS_INT16] = {{0}};
    tinycc_gradient_sums_int16(sums, pixels, inputs, gradient, shape->gradient_channels, weights + i,
                               shape->output_channels, shape->gradient_channels);
    TINYCC_UNROLL
    for (int32_t p = 0; p < pixels; ++p) {
        TINYCC_UNROLL
        for (int32_t k = 0; k < inputs; ++k) {
            output[p * shape->output_channels + i + k] = sums[p][k];
        }
    }
}

/* All inputs of `pixels` neighbours from x on. */
TINYCC_INLINE void
tinycc_pointwise_input_gradient_pixels_int16(const int16_t *gradient, const int8_t *weights, int32_t *out_row,
                                             int32_t x, int32_t pixels,
                                             const tinycc_pointwise_input_gradient_int16_shape *shape)
{
    const int32_t rest = shape->output_channels % TINYCC_GRADIENT_INPUTS_INT16;
    const int16_t *values = gradient + x * shape->gradient_channels;
    int32_t *output = out_row + x * shape->output_channels;
    int32_t i = 0;
    for (; i < shape->output_channels - rest; i += TINYCC_GRADIENT_INPUTS_INT16) {
        tinycc_pointwise_input_gradient_block_int16(values, weights, output, pixels, i,
                                                    TINYCC_GRADIENT_INPUTS_INT16, shape);
    }
    if (rest > 0) {
        tinycc_pointwise_input_gradient_block_int16(values, weights, output, pixels, i, rest, shape);
    }
}

TINYCC_INLINE void
tinycc_pointwise_input_gradient_int16(const int16_t *gradient, const int8_t *weights, int32_t *out_row,
                                      int32_t x0, int32_t x1,
                                      const tinycc_pointwise_input_gradient_int16_shape *shape,
                                      const tinycc_pointwise_input_gradient_int16_data *data)
{
    int32_t x = x0;
    (void)data;
    for (; x + TINYCC_GRADIENT_PIXELS_INT16 <= x1; x += TINYCC_GRADIENT_PIXELS_INT16) {
        tinycc_pointwise_input_gradient_pixels_int16(gradient, weights, out_row, x,
                                                     TINYCC_GRADIENT_PIXELS_INT16, shape);
    }
    for (; x < x1; ++x) {
        tinycc_pointwise_input_gradient_pixels_int16(gradient, weights, out_row, x, 1, shape);
    }
}

#endif
