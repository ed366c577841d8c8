/* Mean and sum of float32 over some dimensions.
 *
 *   out[i][j] = clamp(sum_(k,l) in[i][j][k][l] / divisor)
 *
 * Aliasing: output must not overlap input.
 * Reference: TFLite float32, MEAN and SUM. */
#ifndef TINYCC_REDUCE_FLOAT_H
#define TINYCC_REDUCE_FLOAT_H

#include "../shared/float_sums.h"

/* Two kept and two reduced dimensions, strides in elements of the input. */
typedef struct {
    int32_t kept_size0;
    int32_t kept_stride0;
    int32_t kept_size1;
    int32_t kept_stride1;
    int32_t reduced_size0;
    int32_t reduced_stride0;
    int32_t reduced_size1;
    int32_t reduced_stride1;
} tinycc_reduce_float_shape;

typedef struct {
    float divisor;
    float output_min;
    float output_max;
} tinycc_reduce_float_data;

/* The tensor is one row, [x0, x1) is a range of the first kept dimension. */
TINYCC_INLINE void tinycc_reduce_float32(const float *row, float *out_row, int32_t x0, int32_t x1,
                                         const tinycc_reduce_float_shape *shape,
                                         const tinycc_reduce_float_data *data)
{
    for (int32_t i = x0; i < x1; ++i) {
        for (int32_t j = 0; j < shape->kept_size1; ++j) {
            float sum = 0.0f;
            for (int32_t k = 0; k < shape->reduced_size0; ++k) {
                const float *source =
                    row + i * shape->kept_stride0 + j * shape->kept_stride1 + k * shape->reduced_stride0;
                TINYCC_UNROLL
                for (int32_t l = 0; l < shape->reduced_size1; ++l) {
                    sum += source[l * shape->reduced_stride1];
                }
            }
            out_row[i * shape->kept_size1 + j] =
                tinycc_clamp_float32(sum / data->divisor, data->output_min, data->output_max);
        }
    }
}

#endif
