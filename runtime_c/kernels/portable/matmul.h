/* Product of two matrices that both are computed.
 *
 *   out[i][n] = clamp(zero_point + requantize(sum over k (a[i][k] - a_zero_point) * (b[k][n] -
 * b_zero_point)))
 *
 * a is [..][depth], b [depth][columns], out [..][columns]; [x0, x1) is a range of rows i.
 * Aliasing: output must not overlap an input.
 * Reference: TFLite int8 specification, BATCH_MATMUL. */
#ifndef TINYCC_MATMUL_H
#define TINYCC_MATMUL_H

#include "../shared/common.h"

typedef struct {
    int32_t depth;
    int32_t columns;
} tinycc_matmul_shape;

typedef struct {
    int32_t a_zero_point;
    int32_t b_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t output_min;
    int32_t output_max;
} tinycc_matmul_data;

TINYCC_INLINE void tinycc_matmul_int8(const int8_t *a_row, const int8_t *b_row, int8_t *out_row, int32_t x0,
                                      int32_t x1, const tinycc_matmul_shape *shape,
                                      const tinycc_matmul_data *data)
{
    for (int32_t i = x0; i < x1; ++i) {
        const int8_t *a = a_row + i * shape->depth;
        int8_t *output = out_row + i * shape->columns;
        for (int32_t n = 0; n < shape->columns; ++n) {
            int32_t sum = 0;
            for (int32_t k = 0; k < shape->depth; ++k) {
                sum += (a[k] - data->a_zero_point) * (b_row[k * shape->columns + n] - data->b_zero_point);
            }
            const int32_t scaled = tinycc_requantize(sum, data->multiplier, data->shift);
            output[n] =
                (int8_t)tinycc_clamp(scaled + data->output_zero_point, data->output_min, data->output_max);
        }
    }
}

#endif
