/* Gradient of integers of the input of an average over windows, from that of its result, which is divided by
 * the number of pixels already:
 *
 *   out[x][c] = sum_(j,k) gradient[oy][ox][c]
 *
 * where output row oy has row y of the input under kernel row j, and ox has column x under kernel column k.
 * rows: see spread_window.h. Aliasing: as in average_gradient.h. */
#ifndef TINYCC_AVERAGE_GRADIENT_INT16_H
#define TINYCC_AVERAGE_GRADIENT_INT16_H

#include "../shared/any_type.h"
#include "../shared/spread_window.h"

TINYCC_INLINE void tinycc_average_gradient_int16(const int16_t *const *rows, int32_t *out_row, int32_t y,
                                                 int32_t x0, int32_t x1, const tinycc_spread_shape *shape,
                                                 const tinycc_spread_data *data)
{
    (void)data;
    for (int32_t x = x0; x < x1; ++x) {
        int32_t *output = out_row + x * shape->output_channels;
        memset(output, 0, (size_t)shape->output_channels * sizeof(*output));
        for (int32_t j = 0; j < shape->kernel_height; ++j) {
            const int16_t *row = tinycc_spread_row_int16(rows, y, j, shape);
            for (int32_t k = 0; row != NULL && k < shape->kernel_width; ++k) {
                const int32_t column = tinycc_spread_column(x, k, shape);
                if (column >= 0) {
                    const tinycc_any_int16 *values = row + column * shape->gradient_channels;
                    for (int32_t c = 0; c < shape->output_channels; ++c) {
                        output[c] += values[c];
                    }
                }
            }
        }
    }
}

#endif
