/* Bilinear resize: each output is the weighted sum of four input pixels, weights in 1/1024.
 *
 * The sum, in 2^-20, is rounded to nearest, halves away from zero; where the output has another scale, it
 * keeps mean_bits fractional bits until it is rescaled. The kernel takes the whole tensor; [x0, x1) is a
 * range of output rows. Aliasing: output must not overlap input. Reference: TFLite, RESIZE_BILINEAR of int8.
 */
#ifndef TINYCC_RESIZE_BILINEAR_H
#define TINYCC_RESIZE_BILINEAR_H

#include "../shared/common.h"

typedef struct {
    int32_t input_width;
    int32_t output_width;
    int32_t channels;
    int32_t mean_bits;
} tinycc_resize_bilinear_shape;

/* For each output row and column: lower input index, upper input index, weight of the upper. */
typedef struct {
    const int16_t *rows;
    const int16_t *columns;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
} tinycc_resize_bilinear_data;

TINYCC_INLINE void tinycc_resize_bilinear_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                               const tinycc_resize_bilinear_shape *shape,
                                               const tinycc_resize_bilinear_data *data)
{
    const int32_t row_elements = shape->input_width * shape->channels;
    for (int32_t y = x0; y < x1; ++y) {
        const int8_t *top = row + data->rows[3 * y] * row_elements;
        const int8_t *bottom = row + data->rows[3 * y + 1] * row_elements;
        const int32_t down = data->rows[3 * y + 2];
        for (int32_t x = 0; x < shape->output_width; ++x) {
            const int32_t left = data->columns[3 * x] * shape->channels;
            const int32_t right = data->columns[3 * x + 1] * shape->channels;
            const int32_t across = data->columns[3 * x + 2];
            int8_t *output = out_row + (y * shape->output_width + x) * shape->channels;
            for (int32_t c = 0; c < shape->channels; ++c) {
                const int32_t upper = top[left + c] * (1024 - across) + top[right + c] * across;
                const int32_t lower = bottom[left + c] * (1024 - across) + bottom[right + c] * across;
                const int32_t sum = upper * (1024 - down) + lower * down;
                const int32_t unit = 1 << (20 - shape->mean_bits);
                int32_t mean = (sum + (sum > 0 ? unit / 2 : -(unit / 2))) / unit;
                if (shape->mean_bits) {
                    mean -= data->input_zero_point * (1 << shape->mean_bits);
                    mean = tinycc_requantize(mean, data->multiplier, data->shift) + data->output_zero_point;
                    mean = tinycc_clamp(mean, -128, 127);
                }
                output[c] = (int8_t)mean;
            }
        }
    }
}

#endif
