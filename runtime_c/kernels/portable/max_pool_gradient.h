/* Gradient of the input of maximum pooling: each window's goes to the first of its largest elements, in the
 * order of rows and columns. Sums are taken in the order of windows, by rows.
 *
 * The kernel takes whole tensors; [x0, x1) are all rows of the output.
 * Aliasing: output must not overlap what is read. */
#ifndef TINYCC_MAX_POOL_GRADIENT_H
#define TINYCC_MAX_POOL_GRADIENT_H

#include "../shared/spread_window.h"

/* Where the largest element of a channel lies, among the taps of `rows` and `columns`. */
TINYCC_INLINE int32_t tinycc_max_pool_gradient_place(const int8_t *source, int32_t top, int32_t left,
                                                     tinycc_range rows, tinycc_range columns,
                                                     const tinycc_spread_shape *shape)
{
    int32_t best = -1;
    for (int32_t j = rows.begin; j < rows.end; ++j) {
        for (int32_t k = columns.begin; k < columns.end; ++k) {
            const int32_t pixel =
                (top + j * shape->dilation_height) * shape->output_width + left + k * shape->dilation_width;
            const int32_t place = pixel * shape->output_channels;
            best = (best < 0 || source[place] > source[best]) ? place : best;
        }
    }
    return best;
}

TINYCC_INLINE void tinycc_max_pool_gradient_float32(const float *gradient, const int8_t *source,
                                                    float *out_row, int32_t x0, int32_t x1,
                                                    const tinycc_spread_shape *shape,
                                                    const tinycc_spread_data *data)
{
    const int32_t channels = shape->output_channels;
    (void)x0;
    (void)data;
    memset(out_row, 0, (size_t)(x1 * shape->output_width * channels) * sizeof(*out_row));
    for (int32_t y = 0; y < shape->gradient_height; ++y) {
        const int32_t top = y * shape->stride_height - shape->pad_top;
        const tinycc_range rows =
            tinycc_spread_range(top, shape->dilation_height, shape->kernel_height, shape->output_height);
        for (int32_t x = 0; x < shape->gradient_width; ++x) {
            const int32_t left = x * shape->stride_width - shape->pad_left;
            const tinycc_range columns =
                tinycc_spread_range(left, shape->dilation_width, shape->kernel_width, shape->output_width);
            const float *values = gradient + (y * shape->gradient_width + x) * channels;
            for (int32_t c = 0; c < channels; ++c) {
                const int32_t place =
                    tinycc_max_pool_gradient_place(source + c, top, left, rows, columns, shape);
                if (place >= 0) {
                    out_row[place + c] += values[c];
                }
            }
        }
    }
}

#endif
