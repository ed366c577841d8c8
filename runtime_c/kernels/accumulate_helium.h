/* The layers of accumulate.h for Helium: averages and dense layers that take in their input row by row.
 *
 * Scratch memory holds a sum for each output, up to a multiple of four. Aliasing: as in accumulate.h.
 * Reference: TFLite int8 specification, FULLY_CONNECTED and AVERAGE_POOL_2D. */
#ifndef TINYCC_ACCUMULATE_HELIUM_H
#define TINYCC_ACCUMULATE_HELIUM_H

#include "accumulate.h"
#include "helium_dots.h"

typedef tinycc_average_rows_shape tinycc_average_rows_helium_shape;
typedef tinycc_average_rows_data tinycc_average_rows_helium_data;

TINYCC_INLINE void tinycc_average_rows_helium_int8(const int8_t *input, int8_t *output, void *scratch,
                                                   int32_t y0, int32_t y1,
                                                   const tinycc_average_rows_helium_shape *shape,
                                                   const tinycc_average_rows_helium_data *data)
{
    int32_t *sums = (int32_t *)scratch;
    const int32_t channels = shape->channels;
    for (int32_t c = 0; c < channels; c += TINYCC_LANES) {
        tinycc_lanes lanes = tinycc_restore_lanes(sums + c, y0 == 0);
        const int8_t *in = input + c;
        for (int32_t p = (y1 - y0) * shape->width; p > 0; --p) {
            lanes = tinycc_add_lanes(lanes, tinycc_load_lanes(in, channels - c));
            in += channels;
        }
        tinycc_save_lanes(sums + c, lanes);
    }
    if (y1 == shape->rows) {
        tinycc_average_rows_results(sums, output, shape, data);
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
            tinycc_save_lanes(sums + o, tinycc_add_lanes(lanes, tinycc_dots(input, &weights, inputs)));
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
