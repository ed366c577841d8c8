/* As depthwise_input_gradient.h, of integers and without dilation, with the DSP extension: band by band of
 * rows, and channel by channel, whose gradients are gathered first, those of two rows in a word.
 *
 * The plane of a channel has words (g, g of the row below) for all rows and columns that reach an input of
 * the band, from column `first` on, which is before those of the gradient; outside of it they are 0. Weights
 * that an input row takes from two rows of the gradient are `stride` rows of the kernel apart, and are a
 * word, too: a set of them for each place of an input row between rows of the gradient. The kernel takes
 * whole tensors; [x0, x1) are all pixels. Aliasing: bands in ascending order, up to
 * TINYCC_DEPTHWISE_GRADIENT_DSP_ROWS rows, which are written while the rows of the gradient that reach them
 * are read. */
#ifndef TINYCC_DEPTHWISE_INPUT_GRADIENT_DSP_H
#define TINYCC_DEPTHWISE_INPUT_GRADIENT_DSP_H

#include "../shared/any_type.h"
#include "../shared/spread_window.h"
#include "dsp.h"

/* Inputs of a row that are summed for together at most, a multiple of the stride; columns of the kernel, at
 * most, and pairs of its rows, of all sets. */
#define TINYCC_DEPTHWISE_GRADIENT_DSP_BLOCK 4
#define TINYCC_DEPTHWISE_GRADIENT_DSP_TAPS 7
#define TINYCC_DEPTHWISE_GRADIENT_DSP_PAIRS 8
/* Rows of a band: the more, the less is gathered twice, and the fewer, the further an output may overlap. */
#define TINYCC_DEPTHWISE_GRADIENT_DSP_ROWS 4

typedef struct {
    int32_t gradient_height;
    int32_t gradient_width;
    int32_t output_height;
    int32_t output_width;
    int32_t channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t pad_top;
    int32_t pad_left;
    int32_t first_column;
    int32_t plane_height;
    int32_t plane_width;
    int32_t block; /* inputs that are summed for together */
    int32_t pairs; /* of kernel rows, of a set */
} tinycc_depthwise_input_gradient_dsp_shape;

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_depthwise_input_gradient_dsp_data;

/* The first row of the gradient that has row y under its window, were there as many as one likes. */
TINYCC_INLINE int32_t
tinycc_depthwise_gradient_dsp_first(int32_t y, const tinycc_depthwise_input_gradient_dsp_shape *shape)
{
    const int32_t least = y + shape->pad_top - shape->kernel_height + 1, stride = shape->stride_height;
    return least > 0 ? (least + stride - 1) / stride : least / stride;
}

/* The channel's gradients from `gradient` on: rows [first, first + height) of the plane that lie in it. */
TINYCC_INLINE void
tinycc_depthwise_gradient_dsp_gather(uint32_t *plane, const int16_t *gradient, int32_t first, int32_t height,
                                     const tinycc_depthwise_input_gradient_dsp_shape *shape)
{
    const int32_t channels = shape->channels, width = shape->gradient_width;
    uint32_t *word = plane - shape->first_column;
    for (int32_t y = first; y < first + height; ++y) {
        const int is_upper = y >= 0 && y < shape->gradient_height;
        const int is_lower = y + 1 >= 0 && y + 1 < shape->gradient_height;
        const tinycc_any_int16 *upper = gradient + (is_upper ? y : 0) * width * channels;
        const tinycc_any_int16 *lower = gradient + (is_lower ? y + 1 : 0) * width * channels;
        if (is_upper && is_lower) {
            TINYCC_UNROLL_TWICE
            for (int32_t x = 0; x < width; ++x) {
                word[x] = tinycc_dsp_pack(upper[x * channels], lower[x * channels]);
            }
        } else if (is_upper) {
            for (int32_t x = 0; x < width; ++x) {
                word[x] = (uint16_t)upper[x * channels];
            }
        } else if (is_lower) {
            for (int32_t x = 0; x < width; ++x) {
                word[x] = (uint32_t)(uint16_t)lower[x * channels] << 16;
            }
        }
        word += shape->plane_width;
    }
}

/* The channel's weights as pairs, set by set. */
TINYCC_INLINE void
tinycc_depthwise_gradient_dsp_weights(uint32_t pairs[][TINYCC_DEPTHWISE_GRADIENT_DSP_TAPS],
                                      const int8_t *weights,
                                      const tinycc_depthwise_input_gradient_dsp_shape *shape)
{
    const int32_t width = shape->kernel_width, stride = shape->stride_height;
    TINYCC_UNROLL
    for (int32_t set = 0; set < stride; ++set) {
        TINYCC_UNROLL
        for (int32_t m = 0; m < shape->pairs; ++m) {
            const int32_t j = shape->kernel_height - 1 - set - 2 * m * stride;
            TINYCC_UNROLL
            for (int32_t k = 0; k < width; ++k) {
                pairs[set * shape->pairs + m][k] = tinycc_dsp_pack(
                    j >= 0 ? weights[j * width + k] : 0, j >= stride ? weights[(j - stride) * width + k] : 0);
            }
        }
    }
}

/* sums[i] += those of a pair of rows of the gradient. column: of the plane, the first that reaches a sum. */
TINYCC_INLINE void tinycc_depthwise_gradient_dsp_row(int32_t *sums, const uint32_t *column,
                                                     const uint32_t *pairs,
                                                     const tinycc_depthwise_input_gradient_dsp_shape *shape)
{
    const int32_t last = (shape->block - 1 + shape->pad_left) / shape->stride_width;
    /* Each word is loaded once, for all that it is part of. */
    TINYCC_UNROLL_WHOLLY
    for (int32_t place = shape->first_column; place <= last; ++place) {
        const uint32_t word = column[place - shape->first_column];
        TINYCC_UNROLL_WHOLLY
        for (int32_t k = 0; k < shape->kernel_width; ++k) {
            const int32_t i = place * shape->stride_width + k - shape->pad_left;
            if (i >= 0 && i < shape->block) {
                sums[i] = tinycc_dsp_mac(word, pairs[k], sums[i]);
            }
        }
    }
}

/* Row y of the channel whose plane it is, which begins with row `first`. output: of the channel. */
TINYCC_INLINE void
tinycc_depthwise_gradient_dsp_output(const uint32_t *plane, int32_t first,
                                     uint32_t pairs[][TINYCC_DEPTHWISE_GRADIENT_DSP_TAPS], int32_t *output,
                                     int32_t y, const tinycc_depthwise_input_gradient_dsp_shape *shape)
{
    const int32_t own = tinycc_depthwise_gradient_dsp_first(y, shape);
    const int32_t set = own * shape->stride_height - (y + shape->pad_top - shape->kernel_height + 1);
    const uint32_t *row = plane + (own - first) * shape->plane_width;
    for (int32_t x = 0; x < shape->output_width; x += shape->block) {
        int32_t sums[TINYCC_DEPTHWISE_GRADIENT_DSP_BLOCK] = {0};
        TINYCC_UNROLL
        for (int32_t m = 0; m < shape->pairs; ++m) {
            tinycc_depthwise_gradient_dsp_row(sums,
                                              row + 2 * m * shape->plane_width + x / shape->stride_width,
                                              pairs[set * shape->pairs + m], shape);
        }
        TINYCC_UNROLL
        for (int32_t i = 0; i < shape->block; ++i) {
            if (x + i < shape->output_width) {
                output[(y * shape->output_width + x + i) * shape->channels] = sums[i];
            }
        }
    }
}

/* Rows [y, end) of all channels. */
TINYCC_INLINE void tinycc_depthwise_gradient_dsp_band(const int16_t *gradient, const int8_t *weights,
                                                      int32_t *output, uint32_t *plane, int32_t y,
                                                      int32_t end,
                                                      const tinycc_depthwise_input_gradient_dsp_shape *shape)
{
    const int32_t first = tinycc_depthwise_gradient_dsp_first(y, shape);
    const int32_t last = tinycc_depthwise_gradient_dsp_first(end - 1, shape) + 2 * (shape->pairs - 1);
    for (int32_t i = 0; i < shape->plane_height * shape->plane_width; ++i) {
        plane[i] = 0;
    }
    for (int32_t c = 0; c < shape->channels; ++c) {
        uint32_t pairs[TINYCC_DEPTHWISE_GRADIENT_DSP_PAIRS][TINYCC_DEPTHWISE_GRADIENT_DSP_TAPS];
        tinycc_depthwise_gradient_dsp_weights(pairs, weights, shape);
        tinycc_depthwise_gradient_dsp_gather(plane, gradient + c, first, last - first + 1, shape);
        for (int32_t row = y; row < end; ++row) {
            tinycc_depthwise_gradient_dsp_output(plane, first, pairs, output + c, row, shape);
        }
        weights += shape->kernel_height * shape->kernel_width;
    }
}

/* scratch: the plane of a channel. */
TINYCC_INLINE void
tinycc_depthwise_input_gradient_dsp_int16(const int16_t *gradient, const int8_t *weights, int32_t *out_row,
                                          void *scratch, int32_t x0, int32_t x1,
                                          const tinycc_depthwise_input_gradient_dsp_shape *shape,
                                          const tinycc_depthwise_input_gradient_dsp_data *data)
{
    (void)x0;
    (void)x1;
    (void)data;
    for (int32_t y = 0; y < shape->output_height; y += TINYCC_DEPTHWISE_GRADIENT_DSP_ROWS) {
        const int32_t end = tinycc_min(shape->output_height, y + TINYCC_DEPTHWISE_GRADIENT_DSP_ROWS);
        tinycc_depthwise_gradient_dsp_band(gradient, weights, out_row, (uint32_t *)scratch, y, end, shape);
    }
}

#endif
