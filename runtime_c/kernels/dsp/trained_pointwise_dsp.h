/* As trained_layer.h for windows of one pixel and one group, with the DSP extension: two pixels at a time are
 * widened to int16, less their zero point, and multiplied by two outputs' weights, which stay as they are.
 *
 * Four neighbours are two words, (x0, x2) and (x1, x3): what SXTB16 makes of four weights, too.
 * Aliasing: pixels in ascending order, two at a time; both are read before the outputs of either are written.
 */
#ifndef TINYCC_TRAINED_POINTWISE_DSP_H
#define TINYCC_TRAINED_POINTWISE_DSP_H

#include "dsp.h"

/* Pixels and outputs that are summed together. */
#define TINYCC_TRAINED_DSP_BLOCK 2

typedef struct {
    int32_t input_channels;
    int32_t output_channels;
} tinycc_trained_pointwise_dsp_shape;

typedef struct {
    const int32_t *multiplier; /* as tinycc_dsp_scale takes it */
    const int8_t *exponent;
    int32_t input_zero_point;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
} tinycc_trained_pointwise_dsp_data;

/* The word of the first `count` of four bytes, the others 0. */
TINYCC_INLINE uint32_t tinycc_trained_dsp_word(const int8_t *bytes, int32_t count)
{
    uint32_t word = 0;
    if (count >= 4) {
        return tinycc_dsp_load(bytes);
    }
    for (int32_t i = 0; i < count; ++i) {
        word |= (uint32_t)(uint8_t)bytes[i] << 8 * i;
    }
    return word;
}

/* One pixel of a block. */
TINYCC_INLINE void tinycc_trained_dsp_widen(uint32_t *widened, const int8_t *input, int32_t inputs,
                                            int32_t zero_point)
{
    const uint32_t zero_points = tinycc_dsp_pack(zero_point, zero_point);
    for (int32_t i = 0; i < inputs; i += 4) {
        const uint32_t word = tinycc_trained_dsp_word(input + i, inputs - i);
        widened[0] = tinycc_dsp_subtract(tinycc_dsp_even(word), zero_points);
        widened[1] = tinycc_dsp_subtract(tinycc_dsp_odd(word), zero_points);
        widened += 2 * TINYCC_TRAINED_DSP_BLOCK;
    }
}

/* sums[p][k] += products of four inputs, or of the `count` that there are. x: of the first pixel. */
TINYCC_INLINE void tinycc_trained_dsp_step(int32_t sums[][TINYCC_TRAINED_DSP_BLOCK], const uint32_t *x,
                                           int32_t pixels, const int8_t *weights, int32_t outputs,
                                           int32_t pitch, int32_t count)
{
    TINYCC_UNROLL
    for (int32_t k = 0; k < outputs; ++k) {
        const uint32_t word = tinycc_trained_dsp_word(weights + k * pitch, count);
        const uint32_t even = tinycc_dsp_even(word), odd = tinycc_dsp_odd(word);
        TINYCC_UNROLL
        for (int32_t p = 0; p < pixels; ++p) {
            sums[p][k] = tinycc_dsp_mac(x[2 * p], even, sums[p][k]);
            sums[p][k] = tinycc_dsp_mac(x[2 * p + 1], odd, sums[p][k]);
        }
    }
}

/* Outputs [o, o + outputs) of widened pixels. */
TINYCC_INLINE void tinycc_trained_dsp_block(const uint32_t *x, int32_t pixels, const int8_t *weights,
                                            const int32_t *bias, int8_t *output, int32_t o, int32_t outputs,
                                            const tinycc_trained_pointwise_dsp_shape *shape,
                                            const tinycc_trained_pointwise_dsp_data *data)
{
    const int32_t inputs = shape->input_channels;
    const int32_t rest = inputs % 4;
    const int8_t *const own = weights + o * inputs;
    const int8_t *place = own;
    int32_t sums[TINYCC_TRAINED_DSP_BLOCK][TINYCC_TRAINED_DSP_BLOCK];
    TINYCC_UNROLL
    for (int32_t p = 0; p < pixels; ++p) {
        TINYCC_UNROLL
        for (int32_t k = 0; k < outputs; ++k) {
            sums[p][k] = bias[o + k];
        }
    }
    TINYCC_UNROLL
    for (; place != own + (inputs - rest); place += 4) {
        tinycc_trained_dsp_step(sums, x, pixels, place, outputs, inputs, 4);
        x += 2 * TINYCC_TRAINED_DSP_BLOCK;
    }
    if (rest > 0) {
        tinycc_trained_dsp_step(sums, x, pixels, place, outputs, inputs, rest);
    }
    TINYCC_UNROLL
    for (int32_t k = 0; k < outputs; ++k) {
        TINYCC_UNROLL
        for (int32_t p = 0; p < pixels; ++p) {
            const int32_t value = tinycc_dsp_scale(sums[p][k], data->multiplier[o + k], data->exponent[o + k],
                                                   data->output_zero_point);
            output[p * shape->output_channels + o + k] =
                (int8_t)tinycc_clamp(value, data->output_min, data->output_max);
        }
    }
}

/* All outputs of one or two pixels. */
TINYCC_INLINE void tinycc_trained_dsp_pixels(const int8_t *input, int32_t pixels, const int8_t *weights,
                                             const int32_t *bias, int8_t *output, uint32_t *widened,
                                             const tinycc_trained_pointwise_dsp_shape *shape,
                                             const tinycc_trained_pointwise_dsp_data *data)
{
    const int32_t rest = shape->output_channels % TINYCC_TRAINED_DSP_BLOCK;
    int32_t o = 0;
    for (int32_t p = 0; p < pixels; ++p) {
        tinycc_trained_dsp_widen(widened + 2 * p, input + p * shape->input_channels, shape->input_channels,
                                 data->input_zero_point);
    }
    for (; o < shape->output_channels - rest; o += TINYCC_TRAINED_DSP_BLOCK) {
        tinycc_trained_dsp_block(widened, pixels, weights, bias, output, o, TINYCC_TRAINED_DSP_BLOCK, shape,
                                 data);
    }
    if (rest > 0) {
        tinycc_trained_dsp_block(widened, pixels, weights, bias, output, o, rest, shape, data);
    }
}

/* scratch: four words for every four inputs. */
TINYCC_INLINE void tinycc_trained_pointwise_dsp_int8(const int8_t *input, const int8_t *weights,
                                                     const int32_t *bias, int8_t *out_row, void *scratch,
                                                     int32_t x0, int32_t x1,
                                                     const tinycc_trained_pointwise_dsp_shape *shape,
                                                     const tinycc_trained_pointwise_dsp_data *data)
{
    uint32_t *const widened = (uint32_t *)scratch;
    int32_t x = x0;
    for (; x + TINYCC_TRAINED_DSP_BLOCK <= x1; x += TINYCC_TRAINED_DSP_BLOCK) {
        tinycc_trained_dsp_pixels(input + x * shape->input_channels, TINYCC_TRAINED_DSP_BLOCK, weights, bias,
                                  out_row + x * shape->output_channels, widened, shape, data);
    }
    if (x < x1) {
        tinycc_trained_dsp_pixels(input + x * shape->input_channels, 1, weights, bias,
                                  out_row + x * shape->output_channels, widened, shape, data);
    }
}

#endif
