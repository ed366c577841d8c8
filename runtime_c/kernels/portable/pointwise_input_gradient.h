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

/* Pixels of a tile at most. */
#define TINYCC_GRADIENT_TILE 32

typedef struct {
    int32_t gradient_channels;
    int32_t output_channels;
} tinycc_pointwise_input_gradient_shape;

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_pointwise_input_gradient_data;

/* Inputs [i, i + inputs) of a tile, for outputs [o, o + count). present: of each two pixels. */
TINYCC_INLINE void tinycc_pointwise_input_gradient_inputs(const float *gradient, const int8_t *weights,
                                                          float *output, const uint32_t *present,
                                                          int32_t pixels, int32_t inputs, int32_t count,
                                                          const tinycc_pointwise_input_gradient_shape *shape)
{
    const int32_t outputs = shape->gradient_channels, pitch = shape->output_channels;
    float real[TINYCC_GRADIENT_OUTPUTS][TINYCC_GRADIENT_INPUTS];
    int32_t p = 0;
    tinycc_gradient_weights(real, weights, pitch, inputs, count);
    for (; p + TINYCC_GRADIENT_PIXELS <= pixels; p += TINYCC_GRADIENT_PIXELS) {
        tinycc_gradient_sums(output, pitch, TINYCC_GRADIENT_PIXELS, inputs, gradient, outputs, real,
                             *present++, count);
        output += TINYCC_GRADIENT_PIXELS * pitch;
        gradient += TINYCC_GRADIENT_PIXELS * outputs;
    }
    for (; p < pixels; ++p) {
        tinycc_gradient_sums(output, pitch, 1, inputs, gradient, outputs, real, *present++, count);
        output += pitch;
        gradient += outputs;
    }
}

/* A tile's sums of outputs [o, o + count), from which on gradient and weights are. */
TINYCC_INLINE void tinycc_pointwise_input_gradient_tile(const float *gradient, const int8_t *weights,
                                                        float *output, int32_t pixels, int32_t count,
                                                        const tinycc_pointwise_input_gradient_shape *shape)
{
    const int32_t inputs = shape->output_channels, outputs = shape->gradient_channels;
    const int32_t rest = inputs % TINYCC_GRADIENT_INPUTS;
    uint32_t present[TINYCC_GRADIENT_TILE / TINYCC_GRADIENT_PIXELS];
    int32_t i = 0, p = 0;
    for (; p + TINYCC_GRADIENT_PIXELS <= pixels; p += TINYCC_GRADIENT_PIXELS) {
        present[p / TINYCC_GRADIENT_PIXELS] =
            tinycc_gradient_present(gradient + p * outputs, outputs, TINYCC_GRADIENT_PIXELS, count);
    }
    if (p < pixels) {
        present[p / TINYCC_GRADIENT_PIXELS] =
            tinycc_gradient_present(gradient + p * outputs, outputs, 1, count);
    }
    for (; i < inputs - rest; i += TINYCC_GRADIENT_INPUTS) {
        tinycc_pointwise_input_gradient_inputs(gradient, weights + i, output + i, present, pixels,
                                               TINYCC_GRADIENT_INPUTS, count, shape);
    }
    if (rest > 0) {
        tinycc_pointwise_input_gradient_inputs(gradient, weights + i, output + i, present, pixels, rest,
                                               count, shape);
    }
}

TINYCC_INLINE void tinycc_pointwise_input_gradient_float32(const float *gradient, const int8_t *weights,
                                                           float *out_row, int32_t x0, int32_t x1,
                                                           const tinycc_pointwise_input_gradient_shape *shape,
                                                           const tinycc_pointwise_input_gradient_data *data)
{
    const int32_t outputs = shape->gradient_channels, inputs = shape->output_channels;
    (void)data;
    for (int32_t x = x0; x < x1; x += TINYCC_GRADIENT_TILE) {
        const int32_t pixels = tinycc_min(TINYCC_GRADIENT_TILE, x1 - x);
        memset(out_row + x * inputs, 0, (size_t)(pixels * inputs) * sizeof(float));
        for (int32_t o = 0; o < outputs; o += TINYCC_GRADIENT_OUTPUTS) {
            tinycc_pointwise_input_gradient_tile(gradient + x * outputs + o, weights + o * inputs,
                                                 out_row + x * inputs, pixels,
                                                 tinycc_min(TINYCC_GRADIENT_OUTPUTS, outputs - o), shape);
        }
    }
}

#endif
