/* Gradient of the input of an average over windows, from that of its result:
 *
 *   out[x][c] = sum_(j,k) gradient[oy][ox][c] / count
 *
 * where output row oy has row y of the input under kernel row j, and ox has column x under kernel column k; j
 * and k ascending. count is how many taps of that window lie in the input. rows: see spread_window.h.
 * Aliasing: pixels are written in ascending order, while others of the row are read. */
#ifndef TINYCC_AVERAGE_GRADIENT_H
#define TINYCC_AVERAGE_GRADIENT_H

#include "../shared/spread_window.h"

/* How many taps of the window at `place` lie in the input. */
TINYCC_INLINE int32_t tinycc_average_gradient_taps(int32_t place, int32_t stride, int32_t pad,
                                                   int32_t dilation, int32_t taps, int32_t size)
{
    const tinycc_range inside = tinycc_spread_range(place * stride - pad, dilation, taps, size);
    return inside.end - inside.begin;
}

TINYCC_INLINE void tinycc_average_gradient_float32(const float *const *rows, float *out_row, int32_t y,
                                                   int32_t x0, int32_t x1, const tinycc_spread_shape *shape,
                                                   const tinycc_spread_data *data)
{
    (void)data;
    for (int32_t x = x0; x < x1; ++x) {
        float *output = out_row + x * shape->output_channels;
        memset(output, 0, (size_t)shape->output_channels * sizeof(*output));
        for (int32_t j = 0; j < shape->kernel_height; ++j) {
            const float *row = tinycc_spread_row(rows, y, j, shape);
            for (int32_t k = 0; row != NULL && k < shape->kernel_width; ++k) {
                const int32_t column = tinycc_spread_column(x, k, shape);
                if (column < 0) {
                    continue;
                }
                const float *values = row + column * shape->gradient_channels;
                const int32_t place =
                    (y + shape->pad_top - j * shape->dilation_height) / shape->stride_height;
                const int32_t count = tinycc_average_gradient_taps(
                                          place, shape->stride_height, shape->pad_top, shape->dilation_height,
                                          shape->kernel_height, shape->output_height) *
                                      tinycc_average_gradient_taps(column, shape->stride_width,
                                                                   shape->pad_left, shape->dilation_width,
                                                                   shape->kernel_width, shape->output_width);
                for (int32_t c = 0; c < shape->output_channels; ++c) {
                    output[c] += values[c] / (float)count;
                }
            }
        }
    }
}

#endif
