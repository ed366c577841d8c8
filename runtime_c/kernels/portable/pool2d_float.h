/* Average and maximum pooling of float32; taps outside the input do not count.
 *
 * rows[j] is the input row under kernel row j, NULL outside; a row is [width][channels]. Aliasing: output
 * pixels in ascending order, channels within; an element is written once all its taps are read. Reference:
 * TFLite float32, AVERAGE_POOL_2D and MAX_POOL_2D; a maximum passes over NaN. */
#ifndef TINYCC_POOL2D_FLOAT_H
#define TINYCC_POOL2D_FLOAT_H

#include "../shared/float_sums.h"

typedef struct {
    int32_t input_width;
    int32_t input_channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_width;
    int32_t dilation_width;
    int32_t pad_left;
} tinycc_pool2d_float_shape;

typedef struct {
    float output_min;
    float output_max;
} tinycc_pool2d_float_data;

/* A kernel: from `initial`, take in `value` of each tap, then the `result` of `count` taps. */
#define TINYCC_DEFINE_POOL2D_FLOAT(name, initial, take, result)                                              \
    TINYCC_INLINE void tinycc_##name##_float32(const float *const *rows, float *out_row, int32_t x0,         \
                                               int32_t x1, const tinycc_pool2d_float_shape *shape,           \
                                               const tinycc_pool2d_float_data *data)                         \
    {                                                                                                        \
        const int32_t channels = shape->input_channels, step = shape->dilation_width * channels;             \
        int32_t row_count = 0;                                                                               \
        for (int32_t j = 0; j < shape->kernel_height; ++j) {                                                 \
            row_count += rows[j] != NULL;                                                                    \
        }                                                                                                    \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            const int32_t left = x * shape->stride_width - shape->pad_left;                                  \
            const tinycc_float_taps inside =                                                                 \
                tinycc_float_inside(left, shape->kernel_width, shape->dilation_width, shape->input_width);   \
            const int32_t columns = inside.end - inside.first, count = row_count * columns;                  \
            const int32_t first = left * channels + inside.first * step;                                     \
            for (int32_t c = 0; c < channels; ++c) {                                                         \
                float pooled = initial;                                                                      \
                for (int32_t j = 0; j < shape->kernel_height; ++j) {                                         \
                    if (rows[j] == NULL) {                                                                   \
                        continue;                                                                            \
                    }                                                                                        \
                    const float *input = rows[j] + first + c;                                                \
                    for (int32_t k = 0; k < columns; ++k) {                                                  \
                        const float value = *input;                                                          \
                        pooled = take;                                                                       \
                        input += step;                                                                       \
                    }                                                                                        \
                }                                                                                            \
                (void)count;                                                                                 \
                out_row[x * channels + c] =                                                                  \
                    tinycc_clamp_float32(result, data->output_min, data->output_max);                        \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_POOL2D_FLOAT(average_pool2d, 0.0f, pooled + value, pooled / (float)count)
TINYCC_DEFINE_POOL2D_FLOAT(max_pool2d, -INFINITY, value > pooled ? value : pooled, pooled)

#undef TINYCC_DEFINE_POOL2D_FLOAT

#endif
