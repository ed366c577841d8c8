/* The depthwise convolution of depthwise_conv2d.h for Helium; one output channel for each input channel.
 *
 * rows[j] is the input row under kernel row j, NULL for padding; a row is [width][channels]. bias has the
 * input's zero point folded in, so padding counts as the zero point: it is read from scratch, of `channels`
 * bytes.
 * Aliasing: output pixels in ascending order, of each sixteen channels at a time - of less than sixteen, as
 * many pixels as make sixteen; they are written once all their taps are read.
 * Reference: TFLite int8 specification, DEPTHWISE_CONV_2D. */
#ifndef TINYCC_DEPTHWISE_CONV2D_HELIUM_H
#define TINYCC_DEPTHWISE_CONV2D_HELIUM_H

#include "helium_taps.h"

/* The largest window. */
#define TINYCC_DEPTHWISE_TAPS 64

typedef struct {
    int32_t input_width;
    int32_t channels;
    int32_t pixels; /* that are computed together where all their taps are inside: 1, or 16 / channels */
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_width;
    int32_t dilation_width;
    int32_t pad_left;
    int32_t rectified; /* see tinycc_rescale_lanes */
} tinycc_depthwise_conv2d_helium_shape;

/* weights: [channels / 16][kernel_height][kernel_width][16], of the last group filled up: with the same
 * channels once more where pixels are computed together. constants: for the four vectors of each group. */
typedef struct {
    const int8_t *weights;
    const int32_t *constants;
    int32_t input_zero_point;
    tinycc_output_range range;
} tinycc_depthwise_conv2d_helium_data;

/* Where the taps of a window lie that starts in column `left`, rows first. */
TINYCC_INLINE void tinycc_depthwise_window(const int8_t **taps, const int8_t *const *rows, int32_t left,
                                           const int8_t *padding,
                                           const tinycc_depthwise_conv2d_helium_shape *shape)
{
    const int32_t step = shape->dilation_width * shape->channels;
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        const int8_t *tap = rows[j] == NULL ? padding : rows[j] + left * shape->channels;
        int32_t column = left;
        for (int32_t k = 0; k < shape->kernel_width; ++k) {
            const int inside = rows[j] != NULL && column >= 0 && column < shape->input_width;
            *taps++ = inside ? tap : padding;
            column += shape->dilation_width;
            tap += step;
        }
    }
}

/* Sixteen channels from their sums, or the first `count` of them. */
TINYCC_INLINE void tinycc_depthwise_finish(tinycc_lanes *sums, int8_t *output, int32_t count,
                                           const int32_t *constants, int rectified,
                                           const tinycc_output_range *range)
{
    TINYCC_UNROLL
    for (int32_t v = 0; v < TINYCC_CHANNEL_VECTORS; ++v) {
        sums[v] = tinycc_rescale_lanes(sums[v], constants + v * TINYCC_LANE_CONSTANTS, rectified);
    }
    tinycc_store_channels(output, sums, count, range);
}

/* `channels` outputs, of one pixel or of several next to each other.
 * in_place: whether the window is 3x3 and has no padding, so that it can be read where it is. */
TINYCC_INLINE void tinycc_depthwise_pixel(const int8_t *const *rows, int8_t *output, const int8_t *padding,
                                          int32_t left, int32_t channels, int in_place,
                                          const tinycc_depthwise_conv2d_helium_shape *shape,
                                          const tinycc_depthwise_conv2d_helium_data *data)
{
    const int32_t taps = shape->kernel_height * shape->kernel_width;
    const int32_t step = shape->dilation_width * shape->channels;
    const int8_t *weights = data->weights;
    const int32_t *constants = data->constants;
    const int8_t *window[TINYCC_DEPTHWISE_TAPS];
    const int8_t *starts[3] = {NULL, NULL, NULL};
    if (in_place) {
        for (int32_t j = 0; j < 3; ++j) {
            starts[j] = rows[j] + left * shape->channels;
        }
    }
    if (!in_place || channels % TINYCC_CHANNELS != 0) {
        tinycc_depthwise_window(window, rows, left, padding, shape);
    }
    for (int32_t channel = 0; channel < channels; channel += TINYCC_CHANNELS) {
        const int32_t count = channels - channel;
        tinycc_lanes sums[TINYCC_CHANNEL_VECTORS];
        TINYCC_UNROLL
        for (int32_t v = 0; v < TINYCC_CHANNEL_VECTORS; ++v) {
            sums[v] = tinycc_lane_biases(constants + v * TINYCC_LANE_CONSTANTS);
        }
        if (in_place && count >= TINYCC_CHANNELS) {
            tinycc_add_window(sums, starts, step, weights);
            for (int32_t j = 0; j < 3; ++j) {
                starts[j] += TINYCC_CHANNELS;
            }
        } else {
            tinycc_add_taps(sums, window, taps, channel, count, weights);
        }
        tinycc_depthwise_finish(sums, output + channel, count, constants, shape->rectified, &data->range);
        weights += taps * TINYCC_CHANNELS;
        constants += TINYCC_CHANNEL_VECTORS * TINYCC_LANE_CONSTANTS;
    }
}

/* One function for layers of all shapes. */
TINYCC_SHARED void tinycc_depthwise_row(const int8_t *const *rows, int8_t *out_row, int8_t *padding,
                                        int32_t x0, int32_t x1,
                                        const tinycc_depthwise_conv2d_helium_shape *shape,
                                        const tinycc_depthwise_conv2d_helium_data *data)
{
    const int32_t channels = shape->channels;
    tinycc_fill(padding, data->input_zero_point, channels);
    int rows_inside = 1;
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        rows_inside = rows_inside && rows[j] != NULL;
    }
    const int is_3x3 = shape->kernel_height == 3 && shape->kernel_width == 3;
    int8_t *output = out_row + x0 * channels;
    int32_t pixels = 1;
    for (int32_t x = x0; x < x1; x += pixels) {
        const int32_t left = x * shape->stride_width - shape->pad_left;
        const int32_t right = left + (shape->kernel_width - 1) * shape->dilation_width;
        const int inside = rows_inside && left >= 0 && right < shape->input_width;
        const int more = shape->pixels - 1;
        pixels = inside && more > 0 && x + more < x1 && right + more < shape->input_width ? more + 1 : 1;
        tinycc_depthwise_pixel(rows, output, padding, left, pixels * channels, inside && is_3x3, shape, data);
        output += pixels * channels;
    }
}

TINYCC_INLINE void tinycc_depthwise_conv2d_helium_int8(const int8_t *const *rows, int8_t *out_row,
                                                       void *scratch, int32_t x0, int32_t x1,
                                                       const tinycc_depthwise_conv2d_helium_shape *shape,
                                                       const tinycc_depthwise_conv2d_helium_data *data)
{
    tinycc_depthwise_row(rows, out_row, (int8_t *)scratch, x0, x1, shape, data);
}

#endif
