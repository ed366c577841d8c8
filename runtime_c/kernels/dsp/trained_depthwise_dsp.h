/* As trained_layer.h for as many groups as channels, with an output for each, with the DSP extension: channel
 * by channel, whose inputs are gathered first, those of two rows in a word.
 *
 * The plane of a channel has words (x, x of the row below, by a dilation) for all rows and columns under a
 * window, padding included, which is the zero point. A pair of kernel rows takes its words from one row of
 * the plane; where their number is odd, the last has no second weight. The kernel takes whole tensors; [x0,
 * x1) are all pixels. Aliasing: of each channel all inputs are read before an output is written. */
#ifndef TINYCC_TRAINED_DEPTHWISE_DSP_H
#define TINYCC_TRAINED_DEPTHWISE_DSP_H

#include "../shared/spread_window.h"
#include "depthwise_conv2d_dsp.h"
#include "trained_pointwise_dsp.h"

/* Outputs that are summed together, at most; columns of the kernel and of the plane that they reach. */
#define TINYCC_TRAINED_DEPTHWISE_DSP_BLOCK 4
#define TINYCC_TRAINED_DEPTHWISE_DSP_TAPS 7
#define TINYCC_TRAINED_DEPTHWISE_DSP_REACH 32
/* Pairs of kernel rows, at most. */
#define TINYCC_TRAINED_DEPTHWISE_DSP_PAIRS 4

typedef struct {
    int32_t input_height;
    int32_t input_width;
    int32_t channels;
    int32_t output_height;
    int32_t output_width;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t dilation_height;
    int32_t dilation_width;
    int32_t pad_top;
    int32_t pad_left;
    int32_t plane_height;
    int32_t plane_width;
    int32_t block; /* outputs that are summed together */
    int32_t mode;  /* tinycc_dsp_mode */
} tinycc_trained_depthwise_dsp_shape;

typedef tinycc_trained_pointwise_dsp_data tinycc_trained_depthwise_dsp_data;

/* The channel's inputs from `input` on. */
TINYCC_INLINE void tinycc_trained_depthwise_dsp_gather(uint32_t *plane, const int8_t *input,
                                                       const tinycc_trained_depthwise_dsp_shape *shape,
                                                       int32_t zero_point)
{
    const tinycc_depthwise_dsp_strip strip = {
        .first = 0, .last = shape->input_width, .zero_point = zero_point};
    const int32_t row = shape->input_width * shape->channels;
    /* Windows begin at every stride, and their pairs of rows are two dilations apart. */
    const int32_t step = shape->stride_height % 2 == 0 ? 2 : 1;
    for (int32_t r = 0; r < shape->plane_height; r += step) {
        const int32_t y = r - shape->pad_top, below = y + shape->dilation_height;
        const int8_t *upper = y >= 0 && y < shape->input_height ? input + y * row : NULL;
        const int8_t *lower = below >= 0 && below < shape->input_height ? input + below * row : NULL;
        if (upper != NULL || lower != NULL) {
            tinycc_depthwise_dsp_rows(plane + r * shape->plane_width + shape->pad_left, upper, lower, 1,
                                      shape->channels, &strip);
        }
    }
}

/* The channel's weights as pairs, and the bias less what the inputs' zero point adds. */
TINYCC_INLINE int32_t tinycc_trained_depthwise_dsp_weights(
    uint32_t pairs[][TINYCC_TRAINED_DEPTHWISE_DSP_TAPS], const int8_t *weights, int32_t bias,
    const tinycc_trained_depthwise_dsp_shape *shape, int32_t zero_point)
{
    const uint32_t zero_points = tinycc_dsp_pack(-zero_point, -zero_point);
    const int32_t width = shape->kernel_width;
    TINYCC_UNROLL
    for (int32_t j = 0; j < shape->kernel_height; j += 2) {
        TINYCC_UNROLL
        for (int32_t k = 0; k < width; ++k) {
            const int8_t *tap = weights + j * width + k;
            const uint32_t pair = tinycc_dsp_pack(tap[0], j + 1 < shape->kernel_height ? tap[width] : 0);
            bias = tinycc_dsp_mac(pair, zero_points, bias);
            pairs[j / 2][k] = pair;
        }
    }
    return bias;
}

/* sums[i] += those of a pair of kernel rows. column: of the plane, under the first output. */
TINYCC_INLINE void tinycc_trained_depthwise_dsp_row(int32_t *sums, const uint32_t *column,
                                                    const uint32_t *pairs,
                                                    const tinycc_trained_depthwise_dsp_shape *shape)
{
    const tinycc_depthwise_dsp_windows windows = {.outputs = shape->block,
                                                  .stride = shape->stride_width,
                                                  .taps = shape->kernel_width,
                                                  .dilation = shape->dilation_width,
                                                  .word_step = 1,
                                                  .tap_step = 1,
                                                  .first = 0,
                                                  .last = INT32_MAX};
    tinycc_depthwise_dsp_sum(sums, column, pairs, &windows);
}

/* Outputs [x, x + block) of row y of the channel whose plane it is. output: of the channel. */
TINYCC_INLINE void tinycc_trained_depthwise_dsp_block(const uint32_t *plane,
                                                      uint32_t pairs[][TINYCC_TRAINED_DEPTHWISE_DSP_TAPS],
                                                      int8_t *output, int32_t y, int32_t x,
                                                      const tinycc_depthwise_dsp_channel *channel,
                                                      const tinycc_trained_depthwise_dsp_shape *shape,
                                                      const tinycc_dsp_data *scaling)
{
    int32_t sums[TINYCC_TRAINED_DEPTHWISE_DSP_BLOCK];
    TINYCC_UNROLL
    for (int32_t i = 0; i < shape->block; ++i) {
        sums[i] = channel->bias;
    }
    TINYCC_UNROLL
    for (int32_t j = 0; j < shape->kernel_height; j += 2) {
        const int32_t row = y * shape->stride_height + j * shape->dilation_height;
        tinycc_trained_depthwise_dsp_row(sums, plane + row * shape->plane_width + x * shape->stride_width,
                                         pairs[j / 2], shape);
    }
    TINYCC_UNROLL
    for (int32_t i = 0; i < shape->block; ++i) {
        output[(y * shape->output_width + x + i) * shape->channels] = tinycc_dsp_output(
            sums[i], channel->multiplier, channel->exponent, scaling, (tinycc_dsp_mode)shape->mode);
    }
}

/* scratch: the plane of a channel. */
TINYCC_INLINE void tinycc_trained_depthwise_dsp_int8(const int8_t *input, const int8_t *weights,
                                                     const int32_t *bias, int8_t *out_row, void *scratch,
                                                     int32_t x0, int32_t x1,
                                                     const tinycc_trained_depthwise_dsp_shape *shape,
                                                     const tinycc_trained_depthwise_dsp_data *data)
{
    const tinycc_dsp_data scaling = {.output_zero_point = data->output_zero_point,
                                     .output_min = data->output_min,
                                     .output_max = data->output_max};
    const int32_t zero_point = data->input_zero_point;
    uint32_t *plane = (uint32_t *)scratch;
    (void)x0;
    (void)x1;
    for (int32_t i = 0; i < shape->plane_height * shape->plane_width; ++i) {
        plane[i] = tinycc_dsp_pack(zero_point, zero_point);
    }
    for (int32_t c = 0; c < shape->channels; ++c) {
        uint32_t pairs[TINYCC_TRAINED_DEPTHWISE_DSP_PAIRS][TINYCC_TRAINED_DEPTHWISE_DSP_TAPS];
        const tinycc_depthwise_dsp_channel channel = {
            .bias = tinycc_trained_depthwise_dsp_weights(pairs, weights, bias[c], shape, zero_point),
            .exponent = data->exponent[c],
            .multiplier = data->multiplier[c]};
        tinycc_trained_depthwise_dsp_gather(plane, input + c, shape, zero_point);
        for (int32_t y = 0; y < shape->output_height; ++y) {
            for (int32_t x = 0; x < shape->output_width; x += shape->block) {
                /* The last block may do some outputs again. */
                tinycc_trained_depthwise_dsp_block(plane, pairs, out_row + c, y,
                                                   tinycc_min(x, shape->output_width - shape->block),
                                                   &channel, shape, &scaling);
            }
        }
        weights += shape->kernel_height * shape->kernel_width;
    }
}

#endif
