/* Gradient of the input of a convolution, from that of its sums:
 *
 *   out[x][i] = sum_(j,k,o) gradient[oy][ox][o] * w[o][j][k][i], over the outputs o of i's group
 *
 * where output row oy has row y of the input under kernel row j, and ox has column x under kernel column k;
 * j, k and o ascending. rows: see spread_window.h. Aliasing: pixels are written in ascending order, while
 * others of the row are read. */
#ifndef TINYCC_INPUT_GRADIENT_H
#define TINYCC_INPUT_GRADIENT_H

#include "../shared/spread_window.h"

/* Inputs that are summed for together. */
#define TINYCC_INPUT_GRADIENT_BLOCK 4

/* sums[i] += sum over o < count, ascending, of gradient[o] * weights[o * pitch + i] */
TINYCC_INLINE void tinycc_input_gradient_sums(float *sums, const float *gradient, const int8_t *weights,
                                              int32_t inputs, int32_t pitch, int32_t count)
{
    for (int32_t o = 0; o < count; ++o) {
        const float value = gradient[o];
        TINYCC_UNROLL
        for (int32_t i = 0; i < inputs; ++i) {
            sums[i] += value * (float)weights[i];
        }
        weights += pitch;
    }
}

/* `count` inputs from i on of a group, of the pixel in column x. */
TINYCC_INLINE void tinycc_input_gradient_block(const float *const *rows, const int8_t *weights, float *output,
                                               int32_t y, int32_t x, int32_t group, int32_t i, int32_t count,
                                               const tinycc_spread_shape *shape)
{
    const int32_t inputs = shape->output_channels / shape->groups;
    const int32_t outputs = shape->gradient_channels / shape->groups;
    const int32_t pitch = shape->kernel_height * shape->kernel_width * inputs;
    float sums[TINYCC_INPUT_GRADIENT_BLOCK] = {0.0f};
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        const float *row = tinycc_spread_row(rows, y, j, shape);
        for (int32_t k = 0; row != NULL && k < shape->kernel_width; ++k) {
            const int32_t column = tinycc_spread_column(x, k, shape);
            if (column >= 0) {
                tinycc_input_gradient_sums(sums, row + column * shape->gradient_channels + group * outputs,
                                           weights + group * outputs * pitch +
                                               (j * shape->kernel_width + k) * inputs + i,
                                           count, pitch, outputs);
            }
        }
    }
    TINYCC_UNROLL
    for (int32_t k = 0; k < count; ++k) {
        output[group * inputs + i + k] = sums[k];
    }
}

TINYCC_INLINE void tinycc_input_gradient_float32(const float *const *rows, const int8_t *weights,
                                                 float *out_row, int32_t y, int32_t x0, int32_t x1,
                                                 const tinycc_spread_shape *shape,
                                                 const tinycc_spread_data *data)
{
    const int32_t inputs = shape->output_channels / shape->groups;
    const int32_t rest = inputs % TINYCC_INPUT_GRADIENT_BLOCK;
    (void)data;
    for (int32_t x = x0; x < x1; ++x) {
        float *output = out_row + x * shape->output_channels;
        for (int32_t group = 0; group < shape->groups; ++group) {
            int32_t i = 0;
            for (; i < inputs - rest; i += TINYCC_INPUT_GRADIENT_BLOCK) {
                tinycc_input_gradient_block(rows, weights, output, y, x, group, i,
                                            TINYCC_INPUT_GRADIENT_BLOCK, shape);
            }
            if (rest > 0) {
                tinycc_input_gradient_block(rows, weights, output, y, x, group, i, rest, shape);
            }
        }
    }
}

#endif
