/* Gradient of the input of a 1x1 convolution or a dense layer, from that of its sums:
 *
 *   out[x][i] = sum_o gradient[x][o] * w[o][i], o ascending
 *
 * Aliasing: output pixels in ascending order, up to TINYCC_GRADIENT_PIXELS neighbours together, which are
 * written while they are read. */
#ifndef TINYCC_POINTWISE_INPUT_GRADIENT_H
#define TINYCC_POINTWISE_INPUT_GRADIENT_H

#include "../shared/gradient_sums.h"

typedef struct {
    int32_t gradient_channels;
    int32_t output_channels;
} tinycc_pointwise_input_gradient_shape;

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_pointwise_input_gradient_data;

/* Inputs [i, i + inputs) of `pixels` neighbours. */
TINYCC_INLINE void tinycc_pointwise_input_gradient_block(const float *gradient, const int8_t *weights,
                                                         float *output, int32_t pixels, int32_t i,
                                                         int32_t inputs,
                                                         const tinycc_pointwise_input_gradient_shape *shape)
{
    float sums[TINYCC_GRADIENT_PIXELS][TINYCC_GRADIENT_INPUTS] = {{0.0f}};
    tinycc_gradient_sums(sums, pixels, inputs, gradient, shape->gradient_channels, weights + i,
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
TINYCC_INLINE void tinycc_pointwise_input_gradient_pixels(const float *gradient, const int8_t *weights,
                                                          float *out_row, int32_t x, int32_t pixels,
                                                          const tinycc_pointwise_input_gradient_shape *shape)
{
    const int32_t rest = shape->output_channels % TINYCC_GRADIENT_INPUTS;
    const float *values = gradient + x * shape->gradient_channels;
    float *output = out_row + x * shape->output_channels;
    int32_t i = 0;
    for (; i < shape->output_channels - rest; i += TINYCC_GRADIENT_INPUTS) {
        tinycc_pointwise_input_gradient_block(values, weights, output, pixels, i, TINYCC_GRADIENT_INPUTS,
                                              shape);
    }
    if (rest > 0) {
        tinycc_pointwise_input_gradient_block(values, weights, output, pixels, i, rest, shape);
    }
}

TINYCC_INLINE void tinycc_pointwise_input_gradient_float32(const float *gradient, const int8_t *weights,
                                                           float *out_row, int32_t x0, int32_t x1,
                                                           const tinycc_pointwise_input_gradient_shape *shape,
                                                           const tinycc_pointwise_input_gradient_data *data)
{
    int32_t x = x0;
    (void)data;
    for (; x + TINYCC_GRADIENT_PIXELS <= x1; x += TINYCC_GRADIENT_PIXELS) {
        tinycc_pointwise_input_gradient_pixels(gradient, weights, out_row, x, TINYCC_GRADIENT_PIXELS, shape);
    }
    for (; x < x1; ++x) {
        tinycc_pointwise_input_gradient_pixels(gradient, weights, out_row, x, 1, shape);
    }
}

#endif
