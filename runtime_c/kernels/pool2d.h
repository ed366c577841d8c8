/* Average and maximum pooling; taps outside the input do not count.
 *
 * The average is rounded to nearest, halves away from zero, on the integers as they are.
 * rows[j] is the input row under kernel row j, NULL outside; a row is [width][channels].
 * Aliasing: output pixels in ascending order, channels within; an element is written once all its taps are
 * read. Reference: TFLite int8 specification, AVERAGE_POOL_2D and MAX_POOL_2D. */
#ifndef TINYCC_POOL2D_H
#define TINYCC_POOL2D_H

#include "common.h"

typedef struct {
    int32_t input_width;
    int32_t input_channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_width;
    int32_t dilation_width;
    int32_t pad_left;
} tinycc_pool2d_shape;

typedef struct {
    int32_t output_min;
    int32_t output_max;
} tinycc_pool2d_data;

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
                sum = sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;                       \
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
