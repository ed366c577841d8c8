/* The layers of accumulate.h for Helium: averages, means and sums of at most 256 pixels, and dense layers.
 *
 * Scratch memory holds a sum for each output: of 16 bits, up to a multiple of eight, of dense layers of 32
 * bits, up to a multiple of four. Aliasing: as in accumulate.h.
 * Reference: TFLite int8 specification, FULLY_CONNECTED, MEAN, SUM and AVERAGE_POOL_2D. */
#ifndef TINYCC_ACCUMULATE_HELIUM_H
#define TINYCC_ACCUMULATE_HELIUM_H

#include "accumulate.h"
#include "helium_dots.h"
#include "pool2d_helium.h"
#include "reduce_helium.h"

/* sums[c] += the sum of channel c over `pixels` pixels; from 0 where `first`. */
TINYCC_INLINE void tinycc_accumulate_pixels_helium(const int8_t *input, int16_t *sums, int32_t pixels,
                                                   int32_t channels, int first)
{
    const int32_t rest = channels % TINYCC_SUMMED_CHANNELS;
    int32_t c = 0;
    for (; c < channels - rest; c += TINYCC_SUMMED_CHANNELS) {
        const tinycc_channel_sums before = first ? tinycc_no_sums() : tinycc_load_sums(sums + c);
        tinycc_store_sums(sums + c,
                          tinycc_sum_pixels(before, input + c, TINYCC_SUMMED_CHANNELS, pixels, channels));
    }
    if (rest > 0) {
        const tinycc_channel_sums before = first ? tinycc_no_sums() : tinycc_load_sums(sums + c);
        tinycc_store_sums(sums + c, tinycc_sum_pixels(before, input + c, rest, pixels, channels));
    }
}

typedef tinycc_average_rows_shape tinycc_average_rows_helium_shape;
typedef tinycc_average_rows_data tinycc_average_rows_helium_data;

TINYCC_INLINE void tinycc_average_rows_helium_int8(const int8_t *input, int8_t *output, void *scratch,
                                                   int32_t y0, int32_t y1,
                                                   const tinycc_average_rows_helium_shape *shape,
                                                   const tinycc_average_rows_helium_data *data)
{
    const tinycc_pool2d_shape pool = {.mean_bits = shape->mean_bits, .is_clamped = shape->is_clamped};
    int16_t *sums = (int16_t *)scratch;
    tinycc_accumulate_pixels_helium(input, sums, (y1 - y0) * shape->width, shape->channels, y0 == 0);
    for (int32_t c = 0; c < shape->channels && y1 == shape->rows; c += TINYCC_SUMMED_CHANNELS) {
        const int32_t left = shape->channels - c;
        tinycc_average_pool2d_results(output + c, tinycc_load_sums(sums + c),
                                      left < TINYCC_SUMMED_CHANNELS ? left : TINYCC_SUMMED_CHANNELS,
                                      shape->rows * shape->width, &pool, data);
    }
}

typedef tinycc_reduce_rows_shape tinycc_reduce_rows_helium_shape;
typedef tinycc_reduce_helium_data tinycc_reduce_rows_helium_data;

TINYCC_INLINE void tinycc_reduce_rows_helium_int8(const int8_t *input, int8_t *output, void *scratch,
                                                  int32_t y0, int32_t y1,
                                                  const tinycc_reduce_rows_helium_shape *shape,
                                                  const tinycc_reduce_rows_helium_data *data)
{
    int16_t *sums = (int16_t *)scratch;
    tinycc_accumulate_pixels_helium(input, sums, (y1 - y0) * shape->width, shape->channels, y0 == 0);
    for (int32_t c = 0; c < shape->channels && y1 == shape->rows; c += TINYCC_SUMMED_CHANNELS) {
        const int32_t left = shape->channels - c;
        tinycc_lanes even = tinycc_equal_lanes(0);
        tinycc_lanes odd = tinycc_equal_lanes(0);
        tinycc_add_sums(&even, &odd, tinycc_load_sums(sums + c));
        tinycc_reduce_helium_results(output + c, even, odd,
                                     left < TINYCC_SUMMED_CHANNELS ? left : TINYCC_SUMMED_CHANNELS,
                                     shape->is_clamped, data);
    }
}

typedef struct {
    int32_t rows;
    int32_t row_elements;
    int32_t outputs;
    int32_t rectified; /* see tinycc_rescale_lanes */
} tinycc_dense_rows_helium_shape;

/* weights: for each input row those of all outputs, four by four, packed as tinycc_dots reads them; the last
 * four filled up with zeros. constants: of each four outputs. */
typedef struct {
    const int8_t *weights;
    const int32_t *constants;
    tinycc_output_range range;
} tinycc_dense_rows_helium_data;

TINYCC_INLINE void tinycc_dense_rows_helium_int8(const int8_t *input, int8_t *output, void *scratch,
                                                 int32_t y0, int32_t y1,
                                                 const tinycc_dense_rows_helium_shape *shape,
                                                 const tinycc_dense_rows_helium_data *data)
{
    int32_t *sums = (int32_t *)scratch;
    const int32_t inputs = shape->row_elements;
    const int32_t fours = (shape->outputs + TINYCC_LANES - 1) / TINYCC_LANES;
    const int8_t *weights = data->weights + y0 * fours * TINYCC_LANES * ((inputs + 7) / 8 * 8);
    for (int32_t y = y0; y < y1; ++y) {
        for (int32_t o = 0; o < shape->outputs; o += TINYCC_LANES) {
            const tinycc_lanes lanes = tinycc_restore_lanes(sums + o, y == 0);
            tinycc_save_lanes(sums + o,
                              tinycc_add_lanes(lanes, tinycc_dots_unrolled(input, &weights, inputs)));
        }
        input += inputs;
    }
    if (y1 < shape->rows) {
        return;
    }
    const int32_t *constants = data->constants;
    for (int32_t o = 0; o < shape->outputs; o += TINYCC_LANES) {
        const tinycc_lanes lanes = tinycc_restore_lanes(sums + o, 0);
        tinycc_store_lanes(output + o, tinycc_requantize_lanes(lanes, constants, shape->rectified),
                           shape->outputs - o, &data->range);
        constants += TINYCC_LANE_CONSTANTS;
    }
}

#endif
