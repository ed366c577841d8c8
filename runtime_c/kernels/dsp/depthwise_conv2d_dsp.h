/* As depthwise_conv2d.h with a depth multiplier and a horizontal dilation of 1, with the DSP extension:
 * channel by channel, so that its weights stay in registers.
 *
 * The columns of a channel under a tile of outputs are gathered on the stack, two rows in a word. A column is
 * `words` words: the taps of rows 0 and 1, of rows 2 and 3, ...; of an odd last row, its tap and that of the
 * next column. Weights of a channel are pairs in the same order: for each column those of rows 0 and 1, 2 and
 * 3, ...; then those of the last row by two columns, and a single one where the width is odd. They are stored
 * four pairs in two words (see tinycc_dsp_even), what is left over as it is. Narrow weights, 8 added to them,
 * are stored four pairs in one word: the first pair in the lower halves of bytes 0 and 2, the second in the
 * upper ones, the others in bytes 1 and 3; what is left over of eight has a byte each.
 *
 * Aliasing: tiles of output pixels in ascending order, channels within; all columns of a channel that are
 * under the tile are read before its outputs are written. */
#ifndef TINYCC_DEPTHWISE_CONV2D_DSP_H
#define TINYCC_DEPTHWISE_CONV2D_DSP_H

#include "../shared/spread_window.h"
#include "depthwise_3x3_dsp.h"

/* On the stack: words of gathered columns, one column before the first among them. */
#define TINYCC_DEPTHWISE_DSP_WORDS 104
/* Most words of weights, of a 7x7 kernel. */
#define TINYCC_DEPTHWISE_DSP_TAPS 25
/* Most outputs that are summed together. */
#define TINYCC_DEPTHWISE_DSP_BLOCK 5

typedef struct {
    int32_t input_width;
    int32_t input_channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_width;
    int32_t pad_left;
    int32_t tile;        /* output pixels */
    int32_t block;       /* output pixels that are summed together */
    int32_t mode;        /* tinycc_dsp_mode */
    int32_t is_relative; /* to the input's zero point: columns that are padding need not be multiplied */
    int32_t is_narrow;   /* weights: of four bits */
} tinycc_depthwise_conv2d_dsp_shape;

/* The columns under a tile; [first, last) are no padding.
 *
 * is_relative: elements are less the zero point. */
typedef struct {
    uint32_t *words;
    int32_t first;
    int32_t last;
    int32_t zero_point;
    int32_t is_relative;
} tinycc_depthwise_dsp_strip;

/* A word of two elements. */
TINYCC_INLINE uint32_t tinycc_depthwise_dsp_word(int32_t first, int32_t second,
                                                 const tinycc_depthwise_dsp_strip *strip)
{
    const uint32_t pair = tinycc_dsp_pack(first, second);
    const uint32_t zero_points = tinycc_dsp_pack(strip->zero_point, strip->zero_point);
    return strip->is_relative ? tinycc_dsp_subtract(pair, zero_points) : pair;
}

typedef struct {
    const int8_t *weights;    /* [channels][taps], or [channels][tinycc_depthwise_dsp_bytes(taps)] */
    const int32_t *constants; /* [channels][2]: 256 * bias + exponent, multiplier; see
                                 TINYCC_DEPTHWISE_DSP_CONSTANT. In mode TINYCC_DSP_LARGE [channels][3], the
                                 bias of channels that are not constant last */
    int8_t input_zero_point;
    int8_t output_zero_point;
    int8_t output_min;
    int8_t output_max;
} tinycc_depthwise_conv2d_dsp_data;

/* How a channel's sums begin and become outputs. */
typedef struct {
    int32_t bias;
    int32_t exponent;
    int32_t multiplier;
} tinycc_depthwise_dsp_channel;

/* Gathers columns of two rows of a channel, or of the one that is no padding. */
TINYCC_INLINE void tinycc_depthwise_dsp_rows(uint32_t *column, const int8_t *upper, const int8_t *lower,
                                             int32_t step, int32_t channels,
                                             const tinycc_depthwise_dsp_strip *strip)
{
    const int32_t count = strip->last - strip->first;
    const int8_t *row = upper == NULL ? lower : upper;
    if (upper != NULL && lower != NULL) {
        TINYCC_UNROLL
        for (int32_t i = 0; i < count; ++i) {
            const int32_t first = tinycc_dsp_next(&upper, channels);
            *column = tinycc_depthwise_dsp_word(first, tinycc_dsp_next(&lower, channels), strip);
            column += step;
        }
    } else if (row == upper) {
        for (int32_t i = 0; i < count; ++i) {
            *column = tinycc_depthwise_dsp_word(tinycc_dsp_next(&row, channels), strip->zero_point, strip);
            column += step;
        }
    } else {
        for (int32_t i = 0; i < count; ++i) {
            *column = tinycc_depthwise_dsp_word(strip->zero_point, tinycc_dsp_next(&row, channels), strip);
            column += step;
        }
    }
}

/* Gathers columns of the last row of a channel, from the one before the first on. */
TINYCC_INLINE void tinycc_depthwise_dsp_last_row(uint32_t *column, const int8_t *row, int32_t step,
                                                 int32_t channels, const tinycc_depthwise_dsp_strip *strip)
{
    const int32_t count = strip->last - strip->first;
    int32_t before = strip->zero_point;
    column -= step;
    TINYCC_UNROLL
    for (int32_t i = 0; i < count; ++i) {
        const int32_t next = tinycc_dsp_next(&row, channels);
        *column = tinycc_depthwise_dsp_word(before, next, strip);
        column += step;
        before = next;
    }
    *column = tinycc_depthwise_dsp_word(before, strip->zero_point, strip);
}

/* Gathers the columns of a channel; what is padding is there already. */
TINYCC_INLINE void tinycc_depthwise_dsp_columns(const tinycc_depthwise_dsp_strip *strip,
                                                const int8_t *const *rows, int32_t offset,
                                                const tinycc_depthwise_conv2d_dsp_shape *shape)
{
    const int32_t pairs = shape->kernel_height / 2;
    const int32_t step = (shape->kernel_height + 1) / 2;
    uint32_t *column = strip->words + strip->first * step;
    TINYCC_UNROLL
    for (int32_t p = 0; p < pairs; ++p) {
        const int8_t *upper = rows[2 * p];
        const int8_t *lower = rows[2 * p + 1];
        if (upper != NULL || lower != NULL) {
            tinycc_depthwise_dsp_rows(column + p, upper == NULL ? NULL : upper + offset,
                                      lower == NULL ? NULL : lower + offset, step, shape->input_channels,
                                      strip);
        }
    }
    if (shape->kernel_height % 2 != 0 && rows[2 * pairs] != NULL) {
        tinycc_depthwise_dsp_last_row(column + pairs, rows[2 * pairs] + offset, step, shape->input_channels,
                                      strip);
    }
}

/* Windows of neighbouring outputs on a row of words: tap k of output i is for word i * stride + k * dilation.
 */
typedef struct {
    int32_t outputs;
    int32_t stride;
    int32_t taps;
    int32_t dilation;
    int32_t word_step; /* from a word to the next */
    int32_t tap_step;  /* from a tap to the next */
    int32_t first;     /* words outside [first, last) are known to add nothing */
    int32_t last;
} tinycc_depthwise_dsp_windows;

/* sums[i] += those of a row of words. words: under the first output.
 *
 * Each word is loaded once, for all outputs that it is part of, and multiplied before the next one is loaded:
 * left to the compiler, all words were loaded first, onto the stack. */
TINYCC_INLINE void tinycc_depthwise_dsp_sum(int32_t *sums, const uint32_t *words, const uint32_t *taps,
                                            const tinycc_depthwise_dsp_windows *windows)
{
    const int32_t reach =
        (windows->outputs - 1) * windows->stride + (windows->taps - 1) * windows->dilation + 1;
    TINYCC_UNROLL_WHOLLY
    for (int32_t place = 0; place < reach; ++place) {
        const int is_void = place < windows->first || place >= windows->last;
        if (TINYCC_IS_CONSTANT(is_void) && is_void) {
            continue;
        }
        const uint32_t word = words[place * windows->word_step];
        TINYCC_UNROLL_WHOLLY
        for (int32_t k = 0; k < windows->taps; ++k) {
            const int32_t ahead = place - k * windows->dilation;
            const int32_t i = ahead / windows->stride;
            if (ahead >= 0 && ahead % windows->stride == 0 && i < windows->outputs) {
                sums[i] = tinycc_dsp_mac(word, taps[k * windows->tap_step], sums[i]);
                TINYCC_FORGET(sums[i]);
            }
        }
        TINYCC_FORGET(words);
    }
}

/* The same of word `p` of the columns from number `column` on. */
TINYCC_INLINE void tinycc_depthwise_dsp_sum_rows(int32_t *sums, int32_t count, int32_t p, int32_t column,
                                                 const tinycc_depthwise_dsp_strip *strip,
                                                 const uint32_t *taps,
                                                 const tinycc_depthwise_conv2d_dsp_shape *shape)
{
    const int32_t pairs = shape->kernel_height / 2;
    const int32_t step = (shape->kernel_height + 1) / 2;
    /* Columns in a word. */
    const int32_t columns = p == pairs ? 2 : 1;
    const tinycc_depthwise_dsp_windows windows = {
        .outputs = count,
        .stride = shape->stride_width,
        .taps = (shape->kernel_width + columns - 1) / columns,
        .dilation = columns,
        .word_step = step,
        .tap_step = p == pairs ? 1 : pairs,
        .first = shape->is_relative ? strip->first - column - columns + 1 : 0,
        .last = shape->is_relative ? strip->last - column : INT32_MAX};
    const uint32_t *words = strip->words + column * step + p;
    taps += p == pairs ? pairs * shape->kernel_width : p;
    TINYCC_FORGET(words);
    TINYCC_FORGET(taps);
    tinycc_depthwise_dsp_sum(sums, words, taps, &windows);
}

/* `count` outputs that are neighbours, from number `start` of the tile on. */
TINYCC_INLINE void tinycc_depthwise_dsp_outputs(int8_t *output, int32_t start, int32_t count,
                                                const tinycc_depthwise_dsp_strip *strip, const uint32_t *taps,
                                                const tinycc_depthwise_dsp_channel *channel,
                                                const tinycc_depthwise_conv2d_dsp_shape *shape,
                                                const tinycc_depthwise_conv2d_dsp_data *data)
{
    const int32_t words = (shape->kernel_height + 1) / 2;
    int32_t sums[TINYCC_DEPTHWISE_DSP_BLOCK];
    int8_t results[TINYCC_DEPTHWISE_DSP_BLOCK];
    const tinycc_dsp_data scaling = {.output_zero_point = data->output_zero_point,
                                     .output_min = data->output_min,
                                     .output_max = data->output_max};
    TINYCC_UNROLL
    for (int32_t i = 0; i < count; ++i) {
        sums[i] = channel->bias;
    }
    TINYCC_UNROLL
    for (int32_t p = 0; p < words; ++p) {
        tinycc_depthwise_dsp_sum_rows(sums, count, p, start * shape->stride_width, strip, taps, shape);
    }
    TINYCC_UNROLL
    for (int32_t i = 0; i < count; ++i) {
        results[i] = tinycc_dsp_output(sums[i], channel->multiplier, channel->exponent, &scaling,
                                       (tinycc_dsp_mode)shape->mode);
    }
    TINYCC_UNROLL
    for (int32_t i = 0; i < count; ++i) {
        output[(start + i) * shape->input_channels] = results[i];
    }
}

/* All channels of `count` output pixels, for a 3x3 kernel; columns [first, last) are no padding. */
TINYCC_INLINE void tinycc_depthwise_dsp_3x3(const int8_t *const *rows, int8_t *output, uint32_t *columns,
                                            int32_t left, int32_t first, int32_t last, int32_t count,
                                            const tinycc_depthwise_conv2d_dsp_shape *shape,
                                            const tinycc_depthwise_conv2d_dsp_data *data)
{
    const int8_t *present = rows[0] != NULL ? rows[0] : rows[1] != NULL ? rows[1] : rows[2];
    tinycc_depthwise_3x3_dsp_tile tile = {
        .output_zero_point = data->output_zero_point,
        .channels = shape->input_channels,
        .gathered_from = columns + 2 * first - 1,
        .gathered = first < last && present != NULL ? last - first : 0,
        .columns = columns,
        .end = columns + 2 * ((count - 1) * shape->stride_width + 3),
        .output = output,
        .weights = data->weights,
        .constants = data->constants,
        .input_zero_point = data->input_zero_point,
        .pair_mask = (rows[0] != NULL ? UINT32_C(0xFFFF) : 0) | (rows[1] != NULL ? UINT32_C(0xFFFF0000) : 0),
        .last_mask = rows[2] != NULL ? UINT32_MAX : 0,
        .outputs = count,
    };
    for (int32_t j = 0; j < 3 && tile.gathered > 0; ++j) {
        tile.rows[j] = (rows[j] != NULL ? rows[j] : present) + (left + first) * shape->input_channels;
    }
    tinycc_depthwise_3x3_dsp(&tile, shape->stride_width, (tinycc_dsp_mode)shape->mode, shape->is_narrow);
}

/* All channels of `count` output pixels from x on. */
TINYCC_INLINE void tinycc_depthwise_dsp_tile(const int8_t *const *rows, int8_t *output, int32_t x,
                                             int32_t count, const tinycc_depthwise_conv2d_dsp_shape *shape,
                                             const tinycc_depthwise_conv2d_dsp_data *data)
{
    const tinycc_depthwise_conv2d_dsp_data local = *data;
    const int32_t channels = shape->input_channels;
    const int32_t words = (shape->kernel_height + 1) / 2;
    const int32_t channel_taps = shape->kernel_height * shape->kernel_width;
    const int32_t channel_bytes = tinycc_depthwise_dsp_bytes(channel_taps, shape->is_narrow);
    const int32_t left = x * shape->stride_width - shape->pad_left;
    const int32_t width = (count - 1) * shape->stride_width + shape->kernel_width;
    const int32_t first = left < 0 ? -left : 0;
    const int32_t last = shape->input_width - left < width ? shape->input_width - left : width;
    const int8_t *weights = local.weights;
    const int32_t *constants = local.constants;
    uint32_t gathered[TINYCC_DEPTHWISE_DSP_WORDS];
    uint32_t *columns = gathered + words;
    const tinycc_depthwise_dsp_strip strip = {.words = columns,
                                              .first = first,
                                              .last = last,
                                              .zero_point = local.input_zero_point,
                                              .is_relative = shape->is_relative};
    const uint32_t padding =
        tinycc_depthwise_dsp_word(local.input_zero_point, local.input_zero_point, &strip);
    for (int32_t i = 0; i < width * words; ++i) {
        columns[i] = padding;
    }
    if (shape->kernel_height == 3 && shape->kernel_width == 3 && shape->stride_width <= 2 &&
        shape->mode < TINYCC_DSP_CLAMPED) {
        tinycc_depthwise_dsp_3x3(rows, output, columns, left, first, last, count, shape, &local);
        return;
    }
    for (int32_t c = 0; c < channels; ++c) {
        uint32_t taps[TINYCC_DEPTHWISE_DSP_TAPS];
        const int32_t first_word = constants[0];
        const tinycc_depthwise_dsp_channel channel = {
            .bias = shape->mode == TINYCC_DSP_LARGE ? constants[2] : first_word >> 8,
            .exponent = first_word & 0xFF,
            .multiplier = constants[1]};
        constants += shape->mode == TINYCC_DSP_LARGE ? 3 : 2;
        int8_t *const first_output = output++;
        if (first_word & TINYCC_DEPTHWISE_DSP_CONSTANT) {
            for (int32_t i = 0; i < count; ++i) {
                first_output[i * channels] = (int8_t)(first_word >> 8);
            }
            weights += channel_bytes;
            continue;
        }
        tinycc_depthwise_dsp_taps(taps, weights, channel_taps, shape->is_narrow);
        weights += channel_bytes;
        if (first < last) {
            tinycc_depthwise_dsp_columns(&strip, rows, (left + first) * channels + c, shape);
        }
        if (count < shape->block) {
            for (int32_t i = 0; i < count; ++i) {
                tinycc_depthwise_dsp_outputs(first_output, i, 1, &strip, taps, &channel, shape, &local);
            }
        } else {
            /* The last block may do some outputs again. */
            for (int32_t i = 0; i < count; i += shape->block) {
                const int32_t start = i + shape->block <= count ? i : count - shape->block;
                tinycc_depthwise_dsp_outputs(first_output, start, shape->block, &strip, taps, &channel, shape,
                                             &local);
            }
        }
    }
}

TINYCC_INLINE void tinycc_depthwise_conv2d_dsp_int8(const int8_t *const *rows, int8_t *out_row, int32_t x0,
                                                    int32_t x1,
                                                    const tinycc_depthwise_conv2d_dsp_shape *shape,
                                                    const tinycc_depthwise_conv2d_dsp_data *data)
{
    for (int32_t x = x0; x < x1; x += shape->tile) {
        const int32_t count = x1 - x < shape->tile ? x1 - x : shape->tile;
        tinycc_depthwise_dsp_tile(rows, out_row + x * shape->input_channels, x, count, shape, data);
    }
}

#endif
