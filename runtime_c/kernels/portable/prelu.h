/* Rectifier with a slope for each channel: x where x >= 0, slope * x below.
 *
 *   out = clamp(zero_point + (x >= 0 ? requantize(x) : requantize_slope(x * (slope - slope_zero_point))))
 *
 * where x is the input less its zero point.
 * Aliasing: elements in ascending order, each read before it is written; in place is right.
 * Reference: TFLite int8 specification, PRELU. */
#ifndef TINYCC_PRELU_H
#define TINYCC_PRELU_H

#include "../shared/common.h"

typedef struct {
    int32_t channels;
} tinycc_prelu_shape;

typedef struct {
    const int16_t *slopes; /* [channels] */
    int32_t slope_zero_point;
    int32_t input_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t slope_multiplier;
    int32_t slope_shift;
    int32_t output_zero_point;
} tinycc_prelu_data;

TINYCC_INLINE void tinycc_prelu_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                     const tinycc_prelu_shape *shape, const tinycc_prelu_data *data)
{
    for (int32_t x = x0; x < x1; ++x) {
        for (int32_t c = 0; c < shape->channels; ++c) {
            const int32_t i = x * shape->channels + c;
            const int32_t value = row[i] - data->input_zero_point;
            int32_t result;
            if (value >= 0) {
                result = tinycc_requantize(value, data->multiplier, data->shift);
            } else {
                const int32_t product = value * (data->slopes[c] - data->slope_zero_point);
                result = tinycc_requantize(product, data->slope_multiplier, data->slope_shift);
            }
            out_row[i] = (int8_t)tinycc_clamp(result + data->output_zero_point, -128, 127);
        }
    }
}

#endif
