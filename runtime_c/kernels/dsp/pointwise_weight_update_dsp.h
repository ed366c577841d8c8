/* As weight_update_int16.h for windows of one pixel and one group, whose sums over all pixels are int32, with
 * the DSP extension: two pixels are a word. A tile of inputs is widened, less their zero point, for the
 * gradients of two outputs after the other.
 *
 * Aliasing: as in weight_update_int16.h. */
#ifndef TINYCC_POINTWISE_WEIGHT_UPDATE_DSP_H
#define TINYCC_POINTWISE_WEIGHT_UPDATE_DSP_H

#include "../portable/weight_update_int16.h"
#include "dsp_tile.h"

typedef tinycc_weight_update_int16_shape tinycc_pointwise_weight_update_dsp_shape;
typedef tinycc_weight_update_int16_data tinycc_pointwise_weight_update_dsp_data;

/* Two inputs of all pixels; what fills up the last words is 0. count: whether there are both. */
TINYCC_INLINE void tinycc_update_dsp_inputs(uint32_t *words, const int8_t *source, int32_t count,
                                            int32_t zero_point,
                                            const tinycc_pointwise_weight_update_dsp_shape *shape)
{
    const int32_t pixels = shape->gradient_height * shape->gradient_width, pitch = shape->source_channels;
    for (int32_t p = 0; p < (pixels + 3) / 4 * 4; p += 2) {
        for (int32_t k = 0; k < 2; ++k) {
            const int8_t *const input = source + p * pitch + (k < count ? k : 0);
            words[p / 4 * 4 + 2 * k + p / 2 % 2] = tinycc_dsp_pack(
                p < pixels ? input[0] - zero_point : 0, p + 1 < pixels ? input[pitch] - zero_point : 0);
        }
    }
}

/* Gradients of two outputs; of one where there is no other. */
TINYCC_INLINE void tinycc_update_dsp_rows(uint32_t *words, const int16_t *gradient, int32_t count,
                                          const tinycc_pointwise_weight_update_dsp_shape *shape)
{
    const int32_t pixels = shape->gradient_height * shape->gradient_width, pitch = shape->gradient_channels;
    const int32_t next = count > 1 ? 1 : 0;
    int32_t p = 0;
    TINYCC_UNROLL_TWICE
    for (; p + 2 <= pixels; p += 2) {
        words[0] = tinycc_dsp_pack(gradient[0], gradient[pitch]);
        words[1] = tinycc_dsp_pack(gradient[next], gradient[pitch + next]);
        gradient += 2 * pitch;
        words += 2;
    }
    for (; p < (pixels + 3) / 4 * 4; p += 2) {
        words[0] = p < pixels ? (uint16_t)gradient[0] : 0;
        words[1] = p < pixels ? (uint16_t)gradient[next] : 0;
        words += 2;
    }
}

/* Weights of an output from input i on. sums: two apart. */
TINYCC_INLINE void tinycc_update_dsp_output(const tinycc_weight_update_int16_operands *operands,
                                            const int32_t *sums, int32_t o, int32_t i, int32_t inputs,
                                            const tinycc_pointwise_weight_update_dsp_shape *shape,
                                            const tinycc_pointwise_weight_update_dsp_data *data)
{
    const tinycc_gradient_factor factor =
        tinycc_gradient_factor_of(operands->rate * data->scaling[o], operands->exponent + data->offset);
    for (int32_t k = 0; k < inputs; ++k) {
        const int32_t element = o * shape->inputs + i + k;
        const uint32_t random = tinycc_gradient_random(operands->key, element, shape->is_stochastic);
        const int32_t change = tinycc_gradient_change_int32(factor, sums[2 * k], TINYCC_WEIGHT_BOUND, random);
        tinycc_weight_update_int16_step(operands, element, change, data->low);
    }
}

/* Weights of inputs [i, i + inputs), a tile. */
TINYCC_INLINE void tinycc_update_dsp_tile(const tinycc_weight_update_int16_operands *operands,
                                          uint32_t *scratch, int32_t i, int32_t inputs,
                                          const tinycc_pointwise_weight_update_dsp_shape *shape,
                                          const tinycc_pointwise_weight_update_dsp_data *data)
{
    const int32_t words = (shape->gradient_height * shape->gradient_width + 3) / 4;
    const int32_t pairs = (inputs + 1) / 2, outputs = shape->gradient_channels;
    uint32_t *const rows = scratch + 4 * words * pairs;
    int32_t sums[2 * TINYCC_DSP_TILE_PIXELS];
    for (int32_t k = 0; k < inputs; k += 2) {
        tinycc_update_dsp_inputs(scratch + 2 * k * words, operands->source + i + k, tinycc_min(2, inputs - k),
                                 data->zero_point, shape);
    }
    for (int32_t o = 0; o < outputs; o += 2) {
        const int32_t count = tinycc_min(2, outputs - o);
        tinycc_dsp_tile tile = {.x = scratch,
                                .weights = rows,
                                .words = words,
                                .pairs = pairs,
                                .sums = sums,
                                .pitch = 2 * (int32_t)sizeof *sums};
        tinycc_update_dsp_rows(rows, operands->gradient + o, count, shape);
        tinycc_dsp_tile_products(&tile);
        for (int32_t row = 0; row < count; ++row) {
            tinycc_update_dsp_output(operands, sums + row, o + row, i, inputs, shape, data);
        }
    }
}

/* scratch: two words for every four pixels of a tile's inputs, a whole number of pairs, and four more. */
TINYCC_INLINE void
tinycc_pointwise_weight_update_dsp_int16(const int16_t *gradient, const int8_t *source, const float *rate,
                                         const int32_t *step, const int8_t *weights, const int32_t *exponent,
                                         int8_t *out_row, void *scratch, int32_t x0, int32_t x1,
                                         const tinycc_pointwise_weight_update_dsp_shape *shape,
                                         const tinycc_pointwise_weight_update_dsp_data *data)
{
    const tinycc_weight_update_int16_operands operands = {
        gradient, source, out_row, *rate, *exponent, tinycc_update_key(data->seed, *step, data->tensor)};
    (void)x0;
    if (out_row != weights) {
        memmove(out_row, weights, (size_t)(x1 * shape->inputs));
    }
    for (int32_t i = 0; i < shape->trained_inputs; i += TINYCC_DSP_TILE_PIXELS) {
        tinycc_update_dsp_tile(&operands, (uint32_t *)scratch, i,
                               tinycc_min(TINYCC_DSP_TILE_PIXELS, shape->trained_inputs - i), shape, data);
    }
}

#endif
