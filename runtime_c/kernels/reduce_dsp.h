/* As reduce.h with the DSP extension, where what is kept or what is reduced lies one element after the other:
 * four channels at a time, or four elements of a sum. Nothing is scaled up.
 *
 * Aliasing: output must not overlap input. Reference: TFLite int8 specification, MEAN and SUM. */
#ifndef TINYCC_REDUCE_DSP_H
#define TINYCC_REDUCE_DSP_H

#include "dsp_channels.h"
#include "reduce.h"

/* Elements whose sum fits 16 bits. */
#define TINYCC_REDUCE_DSP_BLOCK 256

typedef tinycc_reduce_shape tinycc_reduce_dsp_shape;

/* offset: of a sum. multiplier: see tinycc_dsp_scale. */
typedef struct {
    int32_t offset;
    int32_t multiplier;
    int8_t exponent;
    int8_t output_zero_point;
    int8_t output_min;
    int8_t output_max;
} tinycc_reduce_dsp_data;

TINYCC_INLINE int8_t tinycc_reduce_dsp_result(int32_t sum, int32_t is_clamped,
                                              const tinycc_reduce_dsp_data *data)
{
    const int32_t value =
        tinycc_dsp_scale(sum + data->offset, data->multiplier, data->exponent, data->output_zero_point);
    return (int8_t)(is_clamped ? tinycc_clamp(value, data->output_min, data->output_max)
                               : tinycc_dsp_saturate(value));
}

/* `count` channels, at most four. */
TINYCC_INLINE void tinycc_reduce_dsp_channels(const int8_t *in, int8_t *output, int32_t count,
                                              const tinycc_reduce_dsp_shape *shape,
                                              const tinycc_reduce_dsp_data *data)
{
    int32_t sums[TINYCC_DSP_CHANNELS] = {0, 0, 0, 0};
    for (int32_t k = 0; k < shape->reduced_size0; ++k) {
        for (int32_t l = 0; l < shape->reduced_size1; l += TINYCC_REDUCE_DSP_BLOCK) {
            const int32_t left = shape->reduced_size1 - l;
            const tinycc_dsp_sums none = {0, 0};
            const tinycc_dsp_sums block = tinycc_dsp_add_pixels(
                none, in + k * shape->reduced_stride0 + l * shape->reduced_stride1, count,
                left < TINYCC_REDUCE_DSP_BLOCK ? left : TINYCC_REDUCE_DSP_BLOCK, shape->reduced_stride1);
            TINYCC_UNROLL
            for (int32_t c = 0; c < TINYCC_DSP_CHANNELS; ++c) {
                sums[c] += tinycc_dsp_sum(block, c);
            }
        }
    }
    TINYCC_UNROLL
    for (int32_t c = 0; c < count; ++c) {
        output[c] = tinycc_reduce_dsp_result(sums[c], shape->is_clamped, data);
    }
}

/* The sum of elements that lie one after the other. */
TINYCC_INLINE int32_t tinycc_reduce_dsp_elements(const int8_t *in, int32_t count)
{
    uint32_t sum = 0;
    int32_t i = 0;
    TINYCC_UNROLL
    for (; i + 4 <= count; i += 4) {
        sum = tinycc_dsp_add_bytes(sum, tinycc_dsp_load(in + i) ^ UINT32_C(0x80808080));
    }
    int32_t rest = (int32_t)sum - 128 * i;
    for (; i < count; ++i) {
        rest += in[i];
    }
    return rest;
}

TINYCC_INLINE void tinycc_reduce_dsp_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                          const tinycc_reduce_dsp_shape *shape,
                                          const tinycc_reduce_dsp_data *data)
{
    const tinycc_reduce_dsp_data local = *data;
    const int32_t rest = shape->kept_size1 % TINYCC_DSP_CHANNELS;
    for (int32_t i = x0; i < x1; ++i) {
        const int8_t *in = row + i * shape->kept_stride0;
        int8_t *output = out_row + i * shape->kept_size1;
        if (shape->kept_stride1 == 1) {
            int32_t j = 0;
            for (; j < shape->kept_size1 - rest; j += TINYCC_DSP_CHANNELS) {
                tinycc_reduce_dsp_channels(in + j, output + j, TINYCC_DSP_CHANNELS, shape, &local);
            }
            if (rest > 0) {
                tinycc_reduce_dsp_channels(in + j, output + j, rest, shape, &local);
            }
            continue;
        }
        for (int32_t j = 0; j < shape->kept_size1; ++j) {
            int32_t sum = 0;
            for (int32_t k = 0; k < shape->reduced_size0; ++k) {
                sum += tinycc_reduce_dsp_elements(in + j * shape->kept_stride1 + k * shape->reduced_stride0,
                                                  shape->reduced_size1);
            }
            output[j] = tinycc_reduce_dsp_result(sum, shape->is_clamped, &local);
        }
    }
}

#endif
