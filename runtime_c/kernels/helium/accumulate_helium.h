/* The layers of accumulate.h for Helium: averages, means and sums of at most 256 pixels, and dense layers.
 *
 * Scratch memory holds a sum for each output: of 16 bits, up to a multiple of eight, of dense layers of 32
 * bits, up to a multiple of four. Aliasing: as in accumulate.h.
 * Reference: TFLite int8 specification, FULLY_CONNECTED, MEAN, SUM and AVERAGE_POOL_2D. */
#ifndef TINYCC_ACCUMULATE_HELIUM_H
#define TINYCC_ACCUMULATE_HELIUM_H

#include "../portable/accumulate.h"
#include "helium_dots.h"
#include "pool2d_helium.h"
#include "reduce_helium.h"

typedef tinycc_average_rows_shape tinycc_average_rows_helium_shape;
typedef tinycc_average_rows_data tinycc_average_rows_helium_data;

TINYCC_INLINE void tinycc_average_rows_helium_int8(const int8_t *input, int8_t *output, void *scratch,
                                                   int32_t y0, int32_t y1,
                                                   const tinycc_average_rows_helium_shape *shape,
                                                   const tinycc_average_rows_helium_data *data)
{
    const tinycc_pool2d_shape pool = {.mean_bits = shape->mean_bits, .is_clamped = shape->is_clamped};
    tinycc_helium_sums *sums = (tinycc_helium_sums *)scratch;
    tinycc_helium_sums_accumulate(input, sums, (y1 - y0) * shape->width, shape->channels, y0 == 0);
    for (int32_t c = 0; c < shape->channels && y1 == shape->rows; c += TINYCC_SUMMED_CHANNELS) {
        const int32_t count = tinycc_min(shape->channels - c, TINYCC_SUMMED_CHANNELS);
        tinycc_average_pool2d_helium_store(output + c, tinycc_helium_sums_restore(sums++), count,
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
    tinycc_helium_sums *sums = (tinycc_helium_sums *)scratch;
    tinycc_helium_sums_accumulate(input, sums, (y1 - y0) * shape->width, shape->channels, y0 == 0);
    for (int32_t c = 0; c < shape->channels && y1 == shape->rows; c += TINYCC_SUMMED_CHANNELS) {
        const int32_t count = tinycc_min(shape->channels - c, TINYCC_SUMMED_CHANNELS);
        tinycc_helium_totals totals = tinycc_helium_totals_none();
        tinycc_helium_totals_add(&totals, tinycc_helium_sums_restore(sums++));
        tinycc_reduce_helium_store(output + c, &totals, count, shape->is_clamped, data);
    }
}

typedef struct {
    int32_t rows;
    int32_t row_elements;
    int32_t outputs;
    int32_t rectified; /* see tinycc_rescale_lanes */
    int32_t weight_bits;
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
    const int32_t row_weights = fours * TINYCC_LANES * tinycc_dot_weights(inputs);
    const int8_t *weights = data->weights + y0 * (row_weights * shape->weight_bits / 8);
    for (int32_t y = y0; y < y1; ++y) {
        for (int32_t o = 0; o < shape->outputs; o += TINYCC_LANES) {
            const tinycc_lanes lanes = tinycc_restore_lanes(sums + o, y == 0);
            tinycc_save_lanes(sums + o, tinycc_add_lanes(lanes, tinycc_dots_unrolled(input, &weights, inputs,
                                                                                     shape->weight_bits)));
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
