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
    int32_t stride_width;
    int32_t dilation_width;
    int32_t pad_left;
    int8_t kernel_height;
    int8_t kernel_width;
    int8_t pixels;    /* that are computed together where all their taps are inside: 1, or 16 / channels */
    int8_t rectified; /* see tinycc_rescale_lanes */
    int8_t weight_bits;
} tinycc_depthwise_conv2d_helium_shape;

/* groups: for each sixteen channels the constants of their four vectors, then weights
 * [kernel_height][kernel_width][16], as helium_taps.h has them. The last group is filled up: with the same
 * channels once more where pixels are computed together. */
typedef struct {
    const int32_t *groups;
    int8_t input_zero_point;
    tinycc_output_range range;
} tinycc_depthwise_conv2d_helium_data;

/* Where the taps of a window lie that starts in column `left`, rows first. */
TINYCC_INLINE void tinycc_depthwise_window(const int8_t **taps, const int8_t *const *rows, int32_t left,
                                           const int8_t *padding,
                                           const tinycc_depthwise_conv2d_helium_shape *shape)
{
    const int32_t step = shape->dilation_width * shape->channels;
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        const int8_t *tap = (rows[j] == NULL ? padding : rows[j]) + left * shape->channels;
        const int32_t width = rows[j] == NULL ? 0 : shape->input_width;
        int32_t column = left;
        for (int32_t k = 0; k < shape->kernel_width; ++k) {
            *taps++ = column >= 0 && column < width ? tap : padding;
            column += shape->dilation_width;
            tap += step;
        }
    }
}

/* The `channels` outputs of a pixel, or of several next to each other, from any window. */
TINYCC_INLINE void tinycc_depthwise_pixel(const int8_t *const *rows, int8_t *output, int32_t left,
                                          int32_t channels, int weight_bits, const int8_t *padding,
                                          const tinycc_depthwise_conv2d_helium_shape *shape,
                                          const tinycc_depthwise_conv2d_helium_data *data)
{
    const int32_t taps = shape->kernel_height * shape->kernel_width;
    const int8_t *window[TINYCC_DEPTHWISE_TAPS];
    const int8_t *stream = (const int8_t *)data->groups;
    tinycc_depthwise_window(window, rows, left, padding, shape);
    for (int32_t channel = 0; channel < channels; channel += TINYCC_CHANNELS) {
        const int32_t *const constants = tinycc_next_constants(&stream, TINYCC_CHANNEL_VECTORS);
        tinycc_lanes sums[TINYCC_CHANNEL_VECTORS];
        tinycc_sum_taps(sums, constants, window, taps, channel, channels - channel, stream, weight_bits);
        tinycc_finish_channels(output + channel, sums, channels - channel, constants, shape->rectified,
                               &data->range);
        stream += tinycc_tap_bytes(taps, weight_bits);
    }
}

/* `count` pixels, or as many times `together` of them, whose 3x3 windows have no padding. The channels of
 * what is computed together are a multiple of sixteen. */
TINYCC_INLINE void tinycc_depthwise_inside(const int8_t *const *rows, int8_t *output, int32_t left,
                                           int32_t count, int32_t together, int weight_bits,
                                           const tinycc_depthwise_conv2d_helium_shape *shape,
                                           const tinycc_depthwise_conv2d_helium_data *data)
{
    const tinycc_output_range range = data->range;
    const int32_t channels = together * shape->channels;
    const int32_t step = shape->dilation_width * shape->channels;
    const int32_t advance = together * shape->stride_width * shape->channels - channels;
    const int8_t *in[3] = {rows[0] + left * shape->channels, rows[1] + left * shape->channels,
                           rows[2] + left * shape->channels};
    for (; count > 0; --count) {
        const int8_t *stream = (const int8_t *)data->groups;
        for (int32_t channel = 0; channel < channels; channel += TINYCC_CHANNELS) {
            const int32_t *const constants = tinycc_next_constants(&stream, TINYCC_CHANNEL_VECTORS);
            tinycc_lanes sums[TINYCC_CHANNEL_VECTORS];
            tinycc_sum_window(sums, constants, in, step, stream, weight_bits);
            tinycc_finish_channels(output, sums, TINYCC_CHANNELS, constants, shape->rectified, &range);
            stream += tinycc_tap_bytes(9, weight_bits);
            output += TINYCC_CHANNELS;
        }
        in[0] += advance;
        in[1] += advance;
        in[2] += advance;
    }
}

/* How many of the pixels from x on have no column of padding in their windows. */
TINYCC_INLINE int32_t tinycc_depthwise_run(int32_t x, int32_t x1,
                                           const tinycc_depthwise_conv2d_helium_shape *shape)
{
    const int32_t extent = (shape->kernel_width - 1) * shape->dilation_width;
    const int32_t left = x * shape->stride_width - shape->pad_left;
    const int32_t room = shape->input_width - 1 - extent - left;
    if (left < 0 || room < 0) {
        return 0;
    }
    const int32_t run = room / shape->stride_width + 1;
    return run < x1 - x ? run : x1 - x;
}

TINYCC_INLINE void tinycc_depthwise_row(const int8_t *const *rows, int8_t *out_row, int8_t *padding,
                                        int32_t x0, int32_t x1, int weight_bits,
                                        const tinycc_depthwise_conv2d_helium_shape *shape,
                                        const tinycc_depthwise_conv2d_helium_data *data)
{
    const int32_t channels = shape->channels;
    const int32_t pixels = shape->pixels;
    const int is_3x3 = shape->kernel_height == 3 && shape->kernel_width == 3;
    int rows_inside = 1;
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        rows_inside = rows_inside && rows[j] != NULL;
    }
    tinycc_fill(padding, data->input_zero_point, channels);
    for (int32_t x = x0; x < x1;) {
        const int32_t left = x * shape->stride_width - shape->pad_left;
        const int32_t run = rows_inside ? tinycc_depthwise_run(x, x1, shape) / pixels : 0;
        if (run > 0 && is_3x3 && pixels * channels % TINYCC_CHANNELS == 0) {
            tinycc_depthwise_inside(rows, out_row + x * channels, left, run, pixels, weight_bits, shape,
                                    data);
            x += run * pixels;
        } else {
            const int32_t together = run > 0 ? pixels : 1;
            tinycc_depthwise_pixel(rows, out_row + x * channels, left, together * channels, weight_bits,
                                   padding, shape, data);
            x += together;
        }
    }
}

/* One function for layers of all shapes. */
#define TINYCC_DEFINE_DEPTHWISE_ROW(weight_bits)                                                             \
    TINYCC_SHARED void tinycc_depthwise_row_##weight_bits(                                                   \
        const int8_t *const *rows, int8_t *out_row, int8_t *padding, int32_t x0, int32_t x1,                 \
        const tinycc_depthwise_conv2d_helium_shape *shape, const tinycc_depthwise_conv2d_helium_data *data)  \
    {                                                                                                        \
        tinycc_depthwise_row(rows, out_row, padding, x0, x1, weight_bits, shape, data);                      \
    }

TINYCC_DEFINE_DEPTHWISE_ROW(8)
TINYCC_DEFINE_DEPTHWISE_ROW(4)

#undef TINYCC_DEFINE_DEPTHWISE_ROW

TINYCC_INLINE void tinycc_depthwise_conv2d_helium_int8(const int8_t *const *rows, int8_t *out_row,
                                                       void *scratch, int32_t x0, int32_t x1,
                                                       const tinycc_depthwise_conv2d_helium_shape *shape,
                                                       const tinycc_depthwise_conv2d_helium_data *data)
{
    if (shape->weight_bits == 4) {
        tinycc_depthwise_row_4(rows, out_row, (int8_t *)scratch, x0, x1, shape, data);
    } else {
        tinycc_depthwise_row_8(rows, out_row, (int8_t *)scratch, x0, x1, shape, data);
    }
}

#endif
