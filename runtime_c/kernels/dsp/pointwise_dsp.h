/* As pointwise.h, with the DSP extension: two pixels at a time, widened once for all outputs.
 *
 * Aliasing: pixels in ascending order, two at a time; both are read before the outputs of either are written.
 */
#ifndef TINYCC_POINTWISE_DSP_H
#define TINYCC_POINTWISE_DSP_H

#include "dsp_pairs.h"

typedef struct {
    int32_t input_channels;
    int32_t output_channels;
    int32_t mode;    /* tinycc_dsp_mode */
    int32_t is_wide; /* the matrix */
    int32_t is_narrow;
} tinycc_pointwise_dsp_shape;

typedef tinycc_dsp_data tinycc_pointwise_dsp_data;

/* scratch: four words for every four input channels; of narrow weights eight for every eight. */
TINYCC_INLINE void tinycc_pointwise_dsp_scratch_int8(const int8_t *row, int8_t *out_row, void *scratch,
                                                     int32_t x0, int32_t x1,
                                                     const tinycc_pointwise_dsp_shape *shape,
                                                     const tinycc_pointwise_dsp_data *data)
{
    const int32_t inputs = shape->input_channels;
    const int32_t outputs = shape->output_channels;
    const tinycc_dsp_storage storage = TINYCC_DSP_STORAGE(shape);
    const int is_paired = tinycc_dsp_has_pairs(outputs, shape->mode);
    uint32_t *widened = (uint32_t *)scratch;
    int32_t x = x0;
    if (inputs % 4 == 0 && x1 - x0 > 1 && is_paired && storage != TINYCC_DSP_NARROW) {
        tinycc_dsp_pairs pairs = {.input = row + x0 * inputs,
                                  .inputs = inputs,
                                  .x = widened,
                                  .words = inputs / 4,
                                  .output = out_row + x0 * outputs,
                                  .outputs = outputs,
                                  .pairs = (x1 - x0) / 2,
                                  .matrix = data->matrix,
                                  .output_zero_point = data->output_zero_point};
        x += 2 * pairs.pairs;
        tinycc_dsp_run_pairs(&pairs, shape->mode, storage);
    }
    tinycc_dsp_fill_up(widened, inputs, storage);
    for (; x < x1; x += 2) {
        const int32_t pixels = x + 1 < x1 ? 2 : 1;
        tinycc_dsp_widen(widened, row + x * inputs, inputs);
        if (pixels > 1) {
            tinycc_dsp_widen(widened + 2, row + (x + 1) * inputs, inputs);
        }
        if (storage == TINYCC_DSP_NARROW && pixels > 1 && is_paired) {
            tinycc_dsp_pairs pair = {.x = widened,
                                     .words = tinycc_dsp_words(inputs, storage),
                                     .output = out_row + x * outputs,
                                     .outputs = outputs,
                                     .pairs = 1,
                                     .matrix = data->matrix,
                                     .output_zero_point = data->output_zero_point};
            tinycc_dsp_run_pairs(&pair, shape->mode, storage);
        } else {
            tinycc_dsp_pixels(widened, out_row + x * outputs, pixels, tinycc_dsp_words(inputs, storage),
                              outputs, data, shape->mode, storage);
        }
    }
}

TINYCC_INLINE void tinycc_pointwise_dsp_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                             const tinycc_pointwise_dsp_shape *shape,
                                             const tinycc_pointwise_dsp_data *data)
{
    uint32_t widened[TINYCC_DSP_STACK_WORDS];
    tinycc_pointwise_dsp_scratch_int8(row, out_row, widened, x0, x1, shape, data);
}

#endif
