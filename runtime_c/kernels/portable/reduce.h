/* Mean and sum over some dimensions of a quantized tensor.
 *
 *   out[i][j] = clamp(zero_point + requantize(sum_(k,l) (in[i][j][k][l] - input_zero_point)))
 *
 * A mean's division by the number of elements is part of the multiplier.
 * Aliasing: output must not overlap input.
 * Reference: TFLite int8 specification, MEAN and SUM. */
#ifndef TINYCC_REDUCE_H
#define TINYCC_REDUCE_H

#include "../shared/common.h"

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
    int32_t is_clamped; /* the output's range is less than that of its type */
} tinycc_reduce_shape;

typedef struct {
    int32_t input_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
} tinycc_reduce_data;

/* One kernel for each element type; the tensor is one row, [x0, x1) is a range of the first kept dimension.
 */
#define TINYCC_DEFINE_REDUCE(element)                                                                        \
    TINYCC_INLINE void tinycc_reduce_##element(const element##_t *row, element##_t *out_row, int32_t x0,     \
                                               int32_t x1, const tinycc_reduce_shape *shape,                 \
                                               const tinycc_reduce_data *data)                               \
    {                                                                                                        \
        const int32_t count = shape->reduced_size0 * shape->reduced_size1;                                   \
        for (int32_t i = x0; i < x1; ++i) {                                                                  \
            for (int32_t j = 0; j < shape->kept_size1; ++j) {                                                \
                int32_t sum = -count * data->input_zero_point;                                               \
                for (int32_t k = 0; k < shape->reduced_size0; ++k) {                                         \
                    const element##_t *source = row + i * shape->kept_stride0 + j * shape->kept_stride1 +    \
                                                k * shape->reduced_stride0;                                  \
                    for (int32_t l = 0; l < shape->reduced_size1; ++l) {                                     \
                        sum += source[l * shape->reduced_stride1];                                           \
                    }                                                                                        \
                }                                                                                            \
                sum = tinycc_requantize(sum, data->multiplier, data->shift) + data->output_zero_point;       \
                out_row[i * shape->kept_size1 + j] =                                                         \
                    (element##_t)tinycc_clamp(sum, data->output_min, data->output_max);                      \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_REDUCE(int8)

#undef TINYCC_DEFINE_REDUCE

#endif
