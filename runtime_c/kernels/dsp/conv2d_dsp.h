/* As conv2d.h without groups, with the DSP extension: the windows of two pixels at a time are widened and
 * multiplied by the matrix of weights [outputs][kernel height x kernel width x input channels].
 *
 * Aliasing: pixels in ascending order, two at a time; the windows of both are read before the outputs of
 * either are written. */
#ifndef TINYCC_CONV2D_DSP_H
#define TINYCC_CONV2D_DSP_H

#include "dsp_pairs.h"

typedef struct {
    int32_t input_width;
    int32_t input_channels;
    int32_t output_channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_width;
    int32_t dilation_width;
    int32_t pad_left;
    int32_t mode;    /* tinycc_dsp_mode */
    int32_t is_wide; /* the matrix */
    int32_t is_narrow;
} tinycc_conv2d_dsp_shape;

typedef tinycc_dsp_data tinycc_conv2d_dsp_data;

/* Whether all taps of a kernel row are neighbours in memory and in the input. */
TINYCC_INLINE int tinycc_conv2d_dsp_is_inside(int32_t left, const tinycc_conv2d_dsp_shape *shape)
{
    return left >= 0 && left + shape->kernel_width <= shape->input_width &&
           (shape->dilation_width == 1 || shape->kernel_width == 1);
}

/* One pixel's window, its kernel rows of whole words each. */
TINYCC_INLINE void tinycc_conv2d_dsp_widen(uint32_t *widened, const int8_t *const *rows, int32_t left,
                                           const tinycc_conv2d_dsp_shape *shape, int32_t zero_point)
{
    const int32_t channels = shape->input_channels;
    const int is_inside = tinycc_conv2d_dsp_is_inside(left, shape);
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        if (rows[j] == NULL) {
            widened = tinycc_dsp_fill(widened, zero_point, shape->kernel_width * channels);
        } else if (is_inside) {
            widened = tinycc_dsp_widen(widened, rows[j] + left * channels, shape->kernel_width * channels);
        } else {
            for (int32_t k = 0; k < shape->kernel_width; ++k) {
                const int32_t column = left + k * shape->dilation_width;
                widened = column < 0 || column >= shape->input_width
                              ? tinycc_dsp_fill(widened, zero_point, channels)
                              : tinycc_dsp_widen(widened, rows[j] + column * channels, channels);
            }
        }
    }
}

/* One pixel's window, whose kernel rows or taps are not whole words: gathered first, with room for a word. */
TINYCC_INLINE void tinycc_conv2d_dsp_gather(uint32_t *widened, int8_t *taps, const int8_t *const *rows,
                                            int32_t left, const tinycc_conv2d_dsp_shape *shape,
                                            int32_t zero_point)
{
    const int32_t channels = shape->input_channels;
    const int32_t row_taps = shape->kernel_width * channels;
    const int is_inside = tinycc_conv2d_dsp_is_inside(left, shape);
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        int8_t *tap = taps + j * row_taps;
        if (rows[j] != NULL && is_inside) {
            memcpy(tap, rows[j] + left * channels, (size_t)row_taps);
            continue;
        }
        for (int32_t k = 0; k < shape->kernel_width; ++k) {
            const int32_t column = left + k * shape->dilation_width;
            const int is_padding = rows[j] == NULL || column < 0 || column >= shape->input_width;
            for (int32_t i = 0; i < channels; ++i) {
                *tap++ = is_padding ? (int8_t)zero_point : rows[j][column * channels + i];
            }
        }
    }
    tinycc_dsp_widen(widened, taps, (shape->kernel_height * row_taps + 3) / 4 * 4);
}

/* scratch: four words for every four taps, and one more where windows are gathered; of narrow weights twice
 * that for every eight. */
TINYCC_INLINE void tinycc_conv2d_dsp_scratch_int8(const int8_t *const *rows, int8_t *out_row, void *scratch,
                                                  int32_t x0, int32_t x1,
                                                  const tinycc_conv2d_dsp_shape *shape,
                                                  const tinycc_conv2d_dsp_data *data)
{
    const int32_t row_taps = shape->kernel_width * shape->input_channels;
    const tinycc_dsp_storage storage = TINYCC_DSP_STORAGE(shape);
    const int32_t words = tinycc_dsp_words(shape->kernel_height * row_taps, storage);
    const int32_t outputs = shape->output_channels;
    uint32_t *widened = (uint32_t *)scratch;
    int8_t *taps = (int8_t *)(widened + 4 * words);
    const int is_gathered = shape->input_channels % 4 != 0;
    for (int32_t i = shape->kernel_height * row_taps; i < 4 * words && is_gathered; ++i) {
        taps[i] = 0;
    }
    tinycc_dsp_fill_up(widened, shape->kernel_height * row_taps, storage);
    tinycc_dsp_pairs pair = {.x = widened,
                             .words = words,
                             .outputs = outputs,
                             .matrix = data->matrix,
                             .output_zero_point = data->output_zero_point};
    for (int32_t x = x0; x < x1; x += 2) {
        const int32_t pixels = x + 1 < x1 ? 2 : 1;
        for (int32_t pixel = 0; pixel < pixels; ++pixel) {
            const int32_t left = (x + pixel) * shape->stride_width - shape->pad_left;
            const int is_whole =
                !is_gathered || (row_taps % 4 == 0 && tinycc_conv2d_dsp_is_inside(left, shape));
            if (is_whole) {
                tinycc_conv2d_dsp_widen(widened + 2 * pixel, rows, left, shape, data->input_zero_point);
            } else {
                tinycc_conv2d_dsp_gather(widened + 2 * pixel, taps, rows, left, shape,
                                         data->input_zero_point);
            }
        }
        if (pixels > 1 && tinycc_dsp_has_pairs(outputs, shape->mode)) {
            pair.output = out_row + x * outputs;
            pair.pairs = 1;
            tinycc_dsp_run_pairs(&pair, shape->mode, storage);
        } else {
            tinycc_dsp_pixels(widened, out_row + x * outputs, pixels, words, outputs, data, shape->mode,
                              storage);
        }
    }
}

TINYCC_INLINE void tinycc_conv2d_dsp_int8(const int8_t *const *rows, int8_t *out_row, int32_t x0, int32_t x1,
                                          const tinycc_conv2d_dsp_shape *shape,
                                          const tinycc_conv2d_dsp_data *data)
{
    uint32_t widened[TINYCC_DSP_STACK_WORDS];
    tinycc_conv2d_dsp_scratch_int8(rows, out_row, widened, x0, x1, shape, data);
}

#endif
