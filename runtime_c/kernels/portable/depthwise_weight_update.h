/* Weights of a depthwise convolution with an output for each channel after a step down the gradient of its
 * sums: what weight_update.h computes, in the same order. Sums of a row of the kernel stay in registers, and
 * so do the inputs that they share; inputs outside of the source are taken for 0 there, which changes no sum.
 *
 * Aliasing: as in weight_update.h. */
#ifndef TINYCC_DEPTHWISE_WEIGHT_UPDATE_H
#define TINYCC_DEPTHWISE_WEIGHT_UPDATE_H

#include "weight_update.h"

/* Columns of the gradient that are taken together, and columns of the kernel, at most. */
#define TINYCC_DEPTHWISE_UPDATE_TILE 8
/* Columns of the source that these reach, at most. */
#define TINYCC_DEPTHWISE_UPDATE_REACH 32

/* sums[k] += those of gradients from column x on of a row; gradient, source: channel c of both rows. */
TINYCC_INLINE void tinycc_depthwise_weight_update_tile(float *sums, const float *gradient,
                                                       const int8_t *source, int32_t x, int32_t tile,
                                                       int32_t zero_point,
                                                       const tinycc_weight_update_shape *shape)
{
    const int32_t left = x * shape->stride_width - shape->pad_left;
    const int32_t reach =
        (tile - 1) * shape->stride_width + (shape->kernel_width - 1) * shape->dilation_width + 1;
    float values[TINYCC_DEPTHWISE_UPDATE_REACH];
    TINYCC_UNROLL_WHOLLY
    for (int32_t i = 0; i < reach; ++i) {
        const int is_inside = left + i >= 0 && left + i < shape->source_width;
        values[i] = is_inside ? (float)(source[(left + i) * shape->source_channels] - zero_point) : 0.0f;
    }
    TINYCC_UNROLL_WHOLLY
    for (int32_t i = 0; i < tile; ++i) {
        if (x + i < shape->gradient_width) {
            const float value = gradient[(x + i) * shape->gradient_channels];
            TINYCC_UNROLL_WHOLLY
            for (int32_t k = 0; k < shape->kernel_width; ++k) {
                sums[k] += value * values[i * shape->stride_width + k * shape->dilation_width];
            }
        }
    }
}

TINYCC_INLINE void tinycc_depthwise_weight_update_int8(const float *gradient, const int8_t *source,
                                                       const float *rate, const int32_t *step,
                                                       const int8_t *weights, int8_t *out_row, int32_t x0,
                                                       int32_t x1, const tinycc_weight_update_shape *shape,
                                                       const tinycc_weight_update_data *data)
{
    const int32_t tile = tinycc_min(TINYCC_DEPTHWISE_UPDATE_TILE, shape->gradient_width);
    const int32_t taps = shape->kernel_height * shape->kernel_width;
    const tinycc_weight_update_operands operands = {gradient, source, out_row, *rate,
                                                    tinycc_update_key(data->seed, *step, data->tensor)};
    (void)x0;
    if (out_row != weights) {
        memmove(out_row, weights, (size_t)(x1 * taps));
    }
    for (int32_t c = 0; c < shape->trained_groups; ++c) {
        const float factor = *rate * data->scaling[c];
        for (int32_t j = 0; j < shape->kernel_height; ++j) {
            const int32_t above = j * shape->dilation_height - shape->pad_top;
            const tinycc_range rows = tinycc_spread_range(above, shape->stride_height, shape->gradient_height,
                                                          shape->source_height);
            float sums[TINYCC_DEPTHWISE_UPDATE_TILE] = {0.0f};
            float of_row[TINYCC_DEPTHWISE_UPDATE_TILE];
            for (int32_t y = rows.begin; y < rows.end; ++y) {
                const float *values = gradient + y * shape->gradient_width * shape->gradient_channels + c;
                const int8_t *row =
                    source +
                    (y * shape->stride_height + above) * shape->source_width * shape->source_channels + c;
                for (int32_t x = 0; x < shape->gradient_width; x += tile) {
                    tinycc_depthwise_weight_update_tile(sums, values, row, x, tile, data->zero_point, shape);
                }
            }
            TINYCC_UNROLL_WHOLLY
            for (int32_t k = 0; k < shape->kernel_width; ++k) {
                of_row[k] = sums[k];
            }
            tinycc_weight_update_change(&operands, of_row, shape->kernel_width, factor,
                                        c * taps + j * shape->kernel_width, shape->is_stochastic, data->low);
        }
    }
}

#endif
