/* As trained_layer.h for as many groups as channels, with an output for each: channel by channel, in tiles of
 * columns whose sums stay in registers, as do the weights of a row of the kernel.
 *
 * Inputs outside of the image are taken for the zero point, which changes no sum.
 * Aliasing: channels of a tile are written in ascending order, while others of the rows are read. */
#ifndef TINYCC_TRAINED_DEPTHWISE_H
#define TINYCC_TRAINED_DEPTHWISE_H

#include "../shared/spread_window.h"
#include "trained_layer.h"

/* Columns of a tile, at most. */
#define TINYCC_TRAINED_TILE 4
/* Columns of the kernel, at most. */
#define TINYCC_TRAINED_TAPS 8

/* sums[i] += those of a row of the kernel. row: the channel's; own: its weights of the row. */
TINYCC_INLINE void tinycc_trained_depthwise_row(int32_t *sums, const int8_t *row, const int8_t *own,
                                                int32_t left, int32_t tile, int32_t zero_point,
                                                const tinycc_trained_layer_shape *shape)
{
    const int32_t reach =
        (tile - 1) * shape->stride_width + (shape->kernel_width - 1) * shape->dilation_width + 1;
    int32_t weights[TINYCC_TRAINED_TAPS];
    TINYCC_UNROLL_WHOLLY
    for (int32_t k = 0; k < shape->kernel_width; ++k) {
        weights[k] = own[k];
    }
    /* Each input is loaded once, for all that it is part of. */
    TINYCC_UNROLL_WHOLLY
    for (int32_t place = 0; place < reach; ++place) {
        const int32_t column = left + place;
        const int is_inside = column >= 0 && column < shape->input_width;
        const int32_t value = is_inside ? row[column * shape->input_channels] - zero_point : 0;
        TINYCC_UNROLL_WHOLLY
        for (int32_t k = 0; k < shape->kernel_width; ++k) {
            const int32_t ahead = place - k * shape->dilation_width;
            if (ahead >= 0 && ahead % shape->stride_width == 0 && ahead / shape->stride_width < tile) {
                sums[ahead / shape->stride_width] += value * weights[k];
            }
        }
    }
}

/* Columns [x, x + tile) of channel c, or those of them that there are. */
TINYCC_INLINE void tinycc_trained_depthwise_tile(const int8_t *const *rows, const int8_t *weights,
                                                 const int32_t *bias, int8_t *out_row, int32_t c, int32_t x,
                                                 int32_t tile, int32_t x1,
                                                 const tinycc_trained_layer_shape *shape,
                                                 const tinycc_trained_layer_data *data)
{
    const int8_t *own = weights + c * shape->kernel_height * shape->kernel_width;
    int32_t sums[TINYCC_TRAINED_TILE];
    TINYCC_UNROLL_WHOLLY
    for (int32_t i = 0; i < tile; ++i) {
        sums[i] = bias[c];
    }
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        if (rows[j] != NULL) {
            tinycc_trained_depthwise_row(sums, rows[j] + c, own, x * shape->stride_width - shape->pad_left,
                                         tile, data->input_zero_point, shape);
        }
        own += shape->kernel_width;
    }
    TINYCC_UNROLL_WHOLLY
    for (int32_t i = 0; i < tile; ++i) {
        if (x + i < x1) {
            const int32_t value =
                tinycc_requantize(sums[i], data->multiplier[c], data->shift[c]) + data->output_zero_point;
            out_row[(x + i) * shape->output_channels + c] =
                (int8_t)tinycc_clamp(value, data->output_min, data->output_max);
        }
    }
}

TINYCC_INLINE void tinycc_trained_depthwise_int8(const int8_t *const *rows, const int8_t *weights,
                                                 const int32_t *bias, int8_t *out_row, int32_t x0, int32_t x1,
                                                 const tinycc_trained_layer_shape *shape,
                                                 const tinycc_trained_layer_data *data)
{
    for (int32_t x = x0; x < x1; x += TINYCC_TRAINED_TILE) {
        for (int32_t c = 0; c < shape->output_channels; ++c) {
            tinycc_trained_depthwise_tile(rows, weights, bias, out_row, c, x, TINYCC_TRAINED_TILE, x1, shape,
                                          data);
        }
    }
}

#endif
