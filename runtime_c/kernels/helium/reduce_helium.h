/* As reduce.h for Helium, where what is kept or what is reduced lies one element after the other: eight
 * channels at a time, or sixteen elements of a sum. Nothing is scaled up.
 *
 * Aliasing: output must not overlap input. Reference: TFLite int8 specification, MEAN and SUM. */
#ifndef TINYCC_REDUCE_HELIUM_H
#define TINYCC_REDUCE_HELIUM_H

#include "../shared/reduce_channels.h"
#include "helium_channels.h"

typedef tinycc_reduce_shape tinycc_reduce_helium_shape;

/* offset: of a sum. */
typedef struct {
    int32_t offset;
    int32_t multiplier;
    int32_t shift; /* at most 0 */
    tinycc_output_range range;
} tinycc_reduce_helium_data;

/* The results of the first `count` of eight channels. */
TINYCC_INLINE void tinycc_reduce_helium_store(int8_t *output, const tinycc_helium_totals *totals,
                                              int32_t count, int32_t is_clamped,
                                              const tinycc_reduce_helium_data *data)
{
    const tinycc_output_range range = is_clamped ? data->range : tinycc_whole_range(&data->range);
    const tinycc_lanes offset = tinycc_equal_lanes(data->offset);
    const int is_exact = data->shift == 0; /* no halves to round */
    const tinycc_lanes even =
        tinycc_scale_lanes(tinycc_add_lanes(totals->even, offset), data->multiplier, data->shift, is_exact);
    const tinycc_lanes odd =
        tinycc_scale_lanes(tinycc_add_lanes(totals->odd, offset), data->multiplier, data->shift, is_exact);
    tinycc_store_pairs(output, even, odd, count, &range);
}

TINYCC_INLINE int8_t tinycc_reduce_helium_result(int32_t sum, int32_t is_clamped,
                                                 const tinycc_reduce_helium_data *data)
{
    const int32_t value =
        tinycc_requantize(sum + data->offset, data->multiplier, data->shift) + data->range.zero_point;
    (void)is_clamped;
    return (int8_t)tinycc_clamp(value, data->range.min, data->range.max);
}

TINYCC_DEFINE_CHANNEL_REDUCE(helium, TINYCC_SUMMED_CHANNELS)

#endif
