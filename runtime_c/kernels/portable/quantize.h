/* Float to integer and back: q = clamp(zero_point + round(x / scale)), x = scale * (q - zero_point).
 *
 * Rounding is to nearest, halves away from zero; NaN becomes the zero point.
 * Aliasing: elements in ascending order, each read before it is written.
 * Reference: TFLite, QUANTIZE of floats and DEQUANTIZE. */
#ifndef TINYCC_QUANTIZE_H
#define TINYCC_QUANTIZE_H

#include "../shared/common.h"

typedef struct {
    int32_t channels;
} tinycc_quantize_shape;

typedef struct {
    float scale;
    int32_t zero_point;
    int32_t integer_min;
    int32_t integer_max;
} tinycc_quantize_data;

TINYCC_INLINE int32_t tinycc_quantize_value(float value, const tinycc_quantize_data *data)
{
    const float scaled = value / data->scale;
    int32_t rounded = 0;
    if (scaled >= 131072.0f) {
        rounded = 131072;
    } else if (scaled <= -131072.0f) {
        rounded = -131072;
    } else if (scaled == scaled) {
        rounded = (int32_t)scaled;
        const float rest = scaled - (float)rounded;
        rounded += rest >= 0.5f ? 1 : (rest <= -0.5f ? -1 : 0);
    }
    return tinycc_clamp(rounded + data->zero_point, data->integer_min, data->integer_max);
}

/* A pair of kernels for each integer type. */
#define TINYCC_DEFINE_QUANTIZE(integer)                                                                      \
    TINYCC_INLINE void tinycc_quantize_##integer(const float *row, integer##_t *out_row, int32_t x0,         \
                                                 int32_t x1, const tinycc_quantize_shape *shape,             \
                                                 const tinycc_quantize_data *data)                           \
    {                                                                                                        \
        for (int32_t i = x0 * shape->channels; i < x1 * shape->channels; ++i) {                              \
            out_row[i] = (integer##_t)tinycc_quantize_value(row[i], data);                                   \
        }                                                                                                    \
    }                                                                                                        \
    TINYCC_INLINE void tinycc_dequantize_##integer(const integer##_t *row, float *out_row, int32_t x0,       \
                                                   int32_t x1, const tinycc_quantize_shape *shape,           \
                                                   const tinycc_quantize_data *data)                         \
    {                                                                                                        \
        for (int32_t i = x0 * shape->channels; i < x1 * shape->channels; ++i) {                              \
            out_row[i] = data->scale * (float)(row[i] - data->zero_point);                                   \
        }                                                                                                    \
    }

TINYCC_DEFINE_QUANTIZE(int8)
TINYCC_DEFINE_QUANTIZE(uint8)
TINYCC_DEFINE_QUANTIZE(int16)

#undef TINYCC_DEFINE_QUANTIZE

#endif
