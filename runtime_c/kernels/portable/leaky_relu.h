/* Rectifier with one slope: x where x >= 0, slope * x below, on int16.
 *
 *   out = clamp(zero_point + (x >= 0 ? requantize(x) : requantize_slope(x))), x being the input less its zero
 * point
 *
 * Aliasing: elements in ascending order, each read before it is written; in place is right.
 * Reference: TFLite int16 specification, LEAKY_RELU. */
#ifndef TINYCC_LEAKY_RELU_H
#define TINYCC_LEAKY_RELU_H

#include "../shared/common.h"

typedef struct {
    int32_t channels; /* of a pixel */
} tinycc_leaky_relu_shape;

typedef struct {
    int32_t input_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t slope_multiplier;
    int32_t slope_shift;
    int32_t output_zero_point;
} tinycc_leaky_relu_data;

TINYCC_INLINE void tinycc_leaky_relu_int16(const int16_t *row, int16_t *out_row, int32_t x0, int32_t x1,
                                           const tinycc_leaky_relu_shape *shape,
                                           const tinycc_leaky_relu_data *data)
{
    for (int32_t i = x0 * shape->channels; i < x1 * shape->channels; ++i) {
        const int32_t value = row[i] - data->input_zero_point;
        const int32_t result = value >= 0
                                   ? tinycc_requantize(value, data->multiplier, data->shift)
                                   : tinycc_requantize(value, data->slope_multiplier, data->slope_shift);
        out_row[i] = (int16_t)tinycc_clamp(result + data->output_zero_point, -32768, 32767);
    }
}

#endif
