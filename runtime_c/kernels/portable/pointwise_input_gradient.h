/* Gradient of the input of a 1x1 convolution or a dense layer, from that of its sums:
 *
 *   out[x][i] = sum_o gradient[x][o] * w[o][i], o ascending
 *
 * Weights are made real numbers some outputs after the other, for all pixels of a tile; what is summed so far
 * lies in the output.
 * Aliasing: tiles of output pixels in ascending order, whose pixels are written while they are read. */
#ifndef TINYCC_POINTWISE_INPUT_GRADIENT_H
#define TINYCC_POINTWISE_INPUT_GRADIENT_H

#include "../shared/gradient_sums.h"

/* Pixels of a tile at most, and outputs whose weights are on the stack. */
#define TINYCC_GRADIENT_TILE 32
#define TINYCC_GRADIENT_OUTPUTS 32

typedef struct {
    int32_t gradient_channels;
    int32_t output_channels;
} tinycc_pointwise_input_gradient_shape;

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_pointwise_input_gradient_data;

/* Inputs [i, i + inputs) of a tile. */
TINYCC_INLINE void tinycc_pointwise_input_gradient_inputs(const float *gradient, const int8_t *weights,
                                                          float *output, int32_t pixels, int32_t inputs,
                                                          const tinycc_pointwise_input_gradient_shape *shape)
{
    const int32_t outputs = shape->gradient_channels, pitch = shape->output_channels;
    float real[TINYCC_GRADIENT_OUTPUTS][TINYCC_GRADIENT_INPUTS];
    for (int32_t o = 0; o < outputs; o += TINYCC_GRADIENT_OUTPUTS) {
        const int32_t count = tinycc_min(TINYCC_GRADIENT_OUTPUTS, outputs - o);
        int32_t p = 0;
        tinycc_gradient_weights(real, weights + o * pitch, pitch, inputs, count);
        for (; p + TINYCC_GRADIENT_PIXELS <= pixels; p += TINYCC_GRADIENT_PIXELS) {
            tinycc_gradient_sums(output + p * pitch, pitch, TINYCC_GRADIENT_PIXELS, inputs,
                                 gradient + p * outputs + o, outputs, real, count);
        }
        for (; p < pixels; ++p) {
            tinycc_gradient_sums(output + p * pitch, pitch, 1, inputs, gradient + p * outputs + o, outputs,
                                 real, count);
        }
    }
}

TINYCC_INLINE void tinycc_pointwise_input_gradient_float32(const float *gradient, const int8_t *weights,
                                                           float *out_row, int32_t x0, int32_t x1,
                                                           const tinycc_pointwise_input_gradient_shape *shape,
                                                           const tinycc_pointwise_input_gradient_data *data)
{
    const int32_t inputs = shape->output_channels;
    const int32_t rest = inputs % TINYCC_GRADIENT_INPUTS;
    (void)data;
    for (int32_t x = x0; x < x1; x += TINYCC_GRADIENT_TILE) {
        const int32_t pixels = tinycc_min(TINYCC_GRADIENT_TILE, x1 - x);
        const float *values = gradient + x * shape->gradient_channels;
        float *output = out_row + x * inputs;
        int32_t i = 0;
        for (int32_t k = 0; k < pixels * inputs; ++k) {
            output[k] = 0.0f;
        }
        for (; i < inputs - rest; i += TINYCC_GRADIENT_INPUTS) {
            tinycc_pointwise_input_gradient_inputs(values, weights + i, output + i, pixels,
                                                   TINYCC_GRADIENT_INPUTS, shape);
        }
        if (rest > 0) {
            tinycc_pointwise_input_gradient_inputs(values, weights + i, output + i, pixels, rest, shape);
        }
    }
}

#endif
