/* Gradient of integers of the input of maximum pooling: see max_pool_gradient.h. Each is shifted right,
 * rounded to nearest with halves up, so that no sum overflows.
 *
 * Aliasing: output must not overlap what is read. */
#ifndef TINYCC_MAX_POOL_GRADIENT_INT16_H
#define TINYCC_MAX_POOL_GRADIENT_INT16_H

#include "../shared/gradient_integers.h"
#include "max_pool_gradient.h"

typedef tinycc_spread_shape tinycc_max_pool_gradient_int16_shape;

typedef struct {
    int32_t shift;
} tinycc_max_pool_gradient_int16_data;

#define TINYCC_DEFINE_MAX_POOL_GRADIENT(element, type)                                                       \
    TINYCC_INLINE void tinycc_max_pool_gradient_##element(                                                   \
        const type *gradient, const int8_t *source, int32_t *out_row, int32_t x0, int32_t x1,                \
        const tinycc_max_pool_gradient_int16_shape *shape, const tinycc_max_pool_gradient_int16_data *data)  \
    {                                                                                                        \
        const int32_t channels = shape->output_channels;                                                     \
        (void)x0;                                                                                            \
        memset(out_row, 0, (size_t)(x1 * shape->output_width * channels) * sizeof(*out_row));                \
        for (int32_t y = 0; y < shape->gradient_height; ++y) {                                               \
            const int32_t top = y * shape->stride_height - shape->pad_top;                                   \
            const tinycc_range rows = tinycc_spread_range(top, shape->dilation_height, shape->kernel_height, \
                                                          shape->output_height);                             \
            for (int32_t x = 0; x < shape->gradient_width; ++x) {                                            \
                const int32_t left = x * shape->stride_width - shape->pad_left;                              \
                const tinycc_range columns = tinycc_spread_range(left, shape->dilation_width,                \
                                                                 shape->kernel_width, shape->output_width);  \
                const type *values = gradient + (y * shape->gradient_width + x) * channels;                  \
                for (int32_t c = 0; c < channels; ++c) {                                                     \
                    const int32_t place =                                                                    \
                        tinycc_max_pool_gradient_place(source + c, top, left, rows, columns, shape);         \
                    if (place >= 0) {                                                                        \
                        out_row[place + c] +=                                                                \
                            data->shift > 0 ? tinycc_round_right(values[c], data->shift) : values[c];        \
                    }                                                                                        \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_MAX_POOL_GRADIENT(int16, int16_t)
TINYCC_DEFINE_MAX_POOL_GRADIENT(int32, int32_t)

#undef TINYCC_DEFINE_MAX_POOL_GRADIENT

#endif
