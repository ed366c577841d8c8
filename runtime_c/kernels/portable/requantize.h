/* Changing the scale of a quantized tensor: out = clamp(zero_point + requantize(in - input_zero_point)).
 *
 * Aliasing: elements in ascending order, each read before it is written.
 * Reference: TFLite int8 specification, QUANTIZE of integers. */
#ifndef TINYCC_REQUANTIZE_H
#define TINYCC_REQUANTIZE_H

#include "../shared/common.h"

typedef struct {
    int32_t channels;
} tinycc_requantize_shape;

typedef struct {
    int32_t input_zero_point;
    int32_t multiplier;
    int32_t shift;
    int32_t output_zero_point;
    int32_t output_min;
    int32_t output_max;
} tinycc_requantize_data;

TINYCC_INLINE int32_t tinycc_requantize_value(int32_t value, const tinycc_requantize_data *data)
{
    const int32_t scaled = tinycc_requantize(value - data->input_zero_point, data->multiplier, data->shift);
    return tinycc_clamp(scaled + data->output_zero_point, data->output_min, data->output_max);
}

/* One kernel for each pair of element types. */
#define TINYCC_DEFINE_REQUANTIZE(source, result)                                                             \
    TINYCC_INLINE void tinycc_requantize_##source##_##result(                                                \
        const source##_t *row, result##_t *out_row, int32_t x0, int32_t x1,                                  \
        const tinycc_requantize_shape *shape, const tinycc_requantize_data *data)                            \
    {                                                                                                        \
        for (int32_t i = x0 * shape->channels; i < x1 * shape->channels; ++i) {                              \
            out_row[i] = (result##_t)tinycc_requantize_value(row[i], data);                                  \
        }                                                                                                    \
    }

TINYCC_DEFINE_REQUANTIZE(int8, int8)
TINYCC_DEFINE_REQUANTIZE(int8, int16)
TINYCC_DEFINE_REQUANTIZE(int8, int32)
TINYCC_DEFINE_REQUANTIZE(int8, uint8)
TINYCC_DEFINE_REQUANTIZE(uint8, int8)
TINYCC_DEFINE_REQUANTIZE(uint8, uint8)
TINYCC_DEFINE_REQUANTIZE(uint8, int16)
TINYCC_DEFINE_REQUANTIZE(int16, int8)
TINYCC_DEFINE_REQUANTIZE(int16, uint8)
TINYCC_DEFINE_REQUANTIZE(int16, int16)
TINYCC_DEFINE_REQUANTIZE(int16, int32)
TINYCC_DEFINE_REQUANTIZE(int32, int8)
TINYCC_DEFINE_REQUANTIZE(int32, int16)

#undef TINYCC_DEFINE_REQUANTIZE

#endif
