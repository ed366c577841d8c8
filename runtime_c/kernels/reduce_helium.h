/* As reduce.h for Helium, where what is kept or what is reduced lies one element after the other: eight
 * channels at a time, or sixteen elements of a sum. Nothing is scaled up.
 *
 * Aliasing: output must not overlap input. Reference: TFLite int8 specification, MEAN and SUM. */
#ifndef TINYCC_REDUCE_HELIUM_H
#define TINYCC_REDUCE_HELIUM_H

#include "helium_channels.h"
#include "reduce.h"

/* Elements whose sum fits 16 bits. */
#define TINYCC_REDUCE_HELIUM_BLOCK 256

typedef tinycc_reduce_shape tinycc_reduce_helium_shape;

/* offset: of a sum. */
typedef struct {
    int32_t offset;
    int32_t multiplier;
    int32_t shift; /* at most 0 */
    tinycc_output_range range;
} tinycc_reduce_helium_data;

/* Results of the sums of `count` channels, at most eight. */
TINYCC_INLINE void tinycc_reduce_helium_results(int8_t *output, tinycc_lanes even, tinycc_lanes odd,
                                                int32_t count, int32_t is_clamped,
                                                const tinycc_reduce_helium_data *data)
{
    const tinycc_output_range range = is_clamped ? data->range : tinycc_whole_range(&data->range);
    const tinycc_lanes offset = tinycc_equal_lanes(data->offset);
    const int is_exact = data->shift == 0; /* no halves to round */
    even = tinycc_scale_lanes(tinycc_add_lanes(even, offset), data->multiplier, data->shift, is_exact);
    odd = tinycc_scale_lanes(tinycc_add_lanes(odd, offset), data->multiplier, data->shift, is_exact);
    tinycc_store_pairs(output, even, odd, count, &range);
}

TINYCC_INLINE void tinycc_reduce_helium_channels(const int8_t *in, int8_t *output, int32_t count,
                                                 const tinycc_reduce_helium_shape *shape,
                                                 const tinycc_reduce_helium_data *data)
{
    tinycc_lanes even = tinycc_equal_lanes(0);
    tinycc_lanes odd = tinycc_equal_lanes(0);
    for (int32_t k = 0; k < shape->reduced_size0; ++k) {
        for (int32_t l = 0; l < shape->reduced_size1; l += TINYCC_REDUCE_HELIUM_BLOCK) {
            const int32_t left = shape->reduced_size1 - l;
            const tinycc_channel_sums sums = tinycc_sum_pixels(
                tinycc_no_sums(), in + k * shape->reduced_stride0 + l * shape->reduced_stride1, count,
                left < TINYCC_REDUCE_HELIUM_BLOCK ? left : TINYCC_REDUCE_HELIUM_BLOCK,
                shape->reduced_stride1);
            tinycc_add_sums(&even, &odd, sums);
        }
    }
    tinycc_reduce_helium_results(output, even, odd, count, shape->is_clamped, data);
}

TINYCC_INLINE void tinycc_reduce_helium_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                             const tinycc_reduce_helium_shape *shape,
                                             const tinycc_reduce_helium_data *data)
{
    const int32_t rest = shape->kept_size1 % TINYCC_SUMMED_CHANNELS;
    for (int32_t i = x0; i < x1; ++i) {
        const int8_t *in = row + i * shape->kept_stride0;
        int8_t *output = out_row + i * shape->kept_size1;
        if (shape->kept_stride1 == 1) {
            int32_t j = 0;
            for (; j < shape->kept_size1 - rest; j += TINYCC_SUMMED_CHANNELS) {
                tinycc_reduce_helium_channels(in + j, output + j, TINYCC_SUMMED_CHANNELS, shape, data);
            }
            if (rest > 0) {
                tinycc_reduce_helium_channels(in + j, output + j, rest, shape, data);
            }
            continue;
        }
        for (int32_t j = 0; j < shape->kept_size1; ++j) {
            int32_t sum = data->offset;
            for (int32_t k = 0; k < shape->reduced_size0; ++k) {
                sum = tinycc_sum_elements(sum, in + j * shape->kept_stride1 + k * shape->reduced_stride0,
                                          shape->reduced_size1);
            }
            const int32_t value =
                tinycc_requantize(sum, data->multiplier, data->shift) + data->range.zero_point;
            output[j] = (int8_t)tinycc_clamp(value, data->range.min, data->range.max);
        }
    }
}

#endif
