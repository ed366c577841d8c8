/* Average and maximum pooling; taps outside the input do not count.
 *
 * The average is rounded to nearest, halves away from zero; on the integers as they are where input and
 * output have one scale. rows[j] is the input row under kernel row j, NULL outside; a row is
 * [width][channels]. Aliasing: output pixels in ascending order, channels within; an element is written once
 * all its taps are read. Reference: TFLite int8 specification, AVERAGE_POOL_2D and MAX_POOL_2D. */
#ifndef TINYCC_POOL2D_H
#define TINYCC_POOL2D_H

#include "../shared/common.h"

typedef struct {
    int32_t input_width;
    int32_t input_channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_width;
    int32_t dilation_width;
    int32_t pad_left;
    int32_t mean_bits;  /* of the average: 0 where it is not rescaled, else its fractional bits */
    int32_t is_inside;  /* no tap of any window lies outside the input */
    int32_t is_clamped; /* the output's range is less than that of its type */
} tinycc_pool2d_shape;

typedef struct {
    int32_t output_min;
    int32_t output_max;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t multiplier;
    int32_t shift;
} tinycc_pool2d_data;

/* sum / count rounded to nearest, halves away from zero; rescaled where the scales of input and output
 * differ. */
TINYCC_INLINE int32_t tinycc_pool2d_mean(int32_t sum, int32_t count, const tinycc_pool2d_shape *shape,
                                         const tinycc_pool2d_data *data)
{
    if (shape->mean_bits != 0) {
        sum = (sum - count * data->input_zero_point) * (1 << shape->mean_bits);
    }
    const int32_t mean = sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
    return shape->mean_bits == 0
               ? mean
               : tinycc_requantize(mean, data->multiplier, data->shift) + data->output_zero_point;
}

/* Both kernels for an element type. */
#define TINYCC_DEFINE_POOL2D(element)                                                                        \
    TINYCC_INLINE void tinycc_average_pool2d_##element(                                                      \
        const element##_t *const *rows, element##_t *out_row, int32_t x0, int32_t x1,                        \
        const tinycc_pool2d_shape *shape, const tinycc_pool2d_data *data)                                    \
    {                                                                                                        \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            const int32_t left = x * shape->stride_width - shape->pad_left;                                  \
            for (int32_t c = 0; c < shape->input_channels; ++c) {                                            \
                int32_t sum = 0;                                                                             \
                int32_t count = 0;                                                                           \
                for (int32_t j = 0; j < shape->kernel_height; ++j) {                                         \
                    for (int32_t k = 0; k < shape->kernel_width && rows[j] != NULL; ++k) {                   \
                        const int32_t column = left + k * shape->dilation_width;                             \
                        if (column >= 0 && column < shape->input_width) {                                    \
                            sum += rows[j][column * shape->input_channels + c];                              \
                            ++count;                                                                         \
                        }                                                                                    \
                    }                                                                                        \
                }                                                                                            \
                sum = tinycc_pool2d_mean(sum, count, shape, data);                                           \
                out_row[x * shape->input_channels + c] =                                                     \
                    (element##_t)tinycc_clamp(sum, data->output_min, data->output_max);                      \
            }                                                                                                \
        }                                                                                                    \
    }                                                                                                        \
                                                                                                             \
    TINYCC_INLINE void tinycc_max_pool2d_##element(const element##_t *const *rows, element##_t *out_row,     \
                                                   int32_t x0, int32_t x1, const tinycc_pool2d_shape *shape, \
                                                   const tinycc_pool2d_data *data)                           \
    {                                                                                                        \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            const int32_t left = x * shape->stride_width - shape->pad_left;                                  \
            for (int32_t c = 0; c < shape->input_channels; ++c) {                                            \
                int32_t largest = data->output_min;                                                          \
                for (int32_t j = 0; j < shape->kernel_height; ++j) {                                         \
                    for (int32_t k = 0; k < shape->kernel_width && rows[j] != NULL; ++k) {                   \
                        const int32_t column = left + k * shape->dilation_width;                             \
                        if (column >= 0 && column < shape->input_width) {                                    \
                            const int32_t value = rows[j][column * shape->input_channels + c];               \
                            largest = value > largest ? value : largest;                                     \
                        }                                                                                    \
                    }                                                                                        \
                }                                                                                            \
                out_row[x * shape->input_channels + c] =                                                     \
                    (element##_t)tinycc_clamp(largest, data->output_min, data->output_max);                  \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_POOL2D(int8)
TINYCC_DEFINE_POOL2D(int16)

#undef TINYCC_DEFINE_POOL2D

#endif
