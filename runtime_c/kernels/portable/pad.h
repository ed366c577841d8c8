/* Constant padding of rows, columns and channels.
 *
 * rows[0] is the input row, NULL above and below the input; a row is [width][channels].
 * Aliasing: output must not overlap input.
 * Reference: TFLite, PAD and PADV2. */
#ifndef TINYCC_PAD_H
#define TINYCC_PAD_H

#include "../shared/common.h"

typedef struct {
    int32_t input_width;
    int32_t input_channels;
    int32_t pad_left;
    int32_t channels_before;
    int32_t channels_after;
} tinycc_pad_shape;

typedef struct {
    int32_t pad_value;
} tinycc_pad_data;

typedef tinycc_pad_shape tinycc_pad_float_shape;

typedef struct {
    float pad_value;
} tinycc_pad_float_data;

/* One kernel for each element type. Columns without padded channels are one run. */
#define TINYCC_DEFINE_PAD(element, type, value_type, struct_name)                                            \
    TINYCC_INLINE type *tinycc_pad_fill_##element(type *output, value_type value, int32_t count)             \
    {                                                                                                        \
        TINYCC_UNROLL                                                                                        \
        for (int32_t i = 0; i < count; ++i) {                                                                \
            *output++ = (type)value;                                                                         \
        }                                                                                                    \
        return output;                                                                                       \
    }                                                                                                        \
    TINYCC_INLINE void tinycc_pad_##element(const type *const *rows, type *out_row, int32_t x0, int32_t x1,  \
                                            const struct_name##_shape *shape,                                \
                                            const struct_name##_data *data)                                  \
    {                                                                                                        \
        const int32_t channels = shape->channels_before + shape->input_channels + shape->channels_after;     \
        const int is_run = channels == shape->input_channels;                                                \
        const int32_t width = rows[0] != NULL ? shape->input_width : 0;                                      \
        const int32_t first = tinycc_clamp(shape->pad_left, x0, x1);                                         \
        const int32_t end = tinycc_clamp(shape->pad_left + width, first, x1);                                \
        const int32_t runs = is_run ? 1 : end - first;                                                       \
        const int32_t length = is_run ? (end - first) * channels : shape->input_channels;                    \
        type *output =                                                                                       \
            tinycc_pad_fill_##element(out_row + x0 * channels, data->pad_value, (first - x0) * channels);    \
        for (int32_t run = 0; run < runs && length > 0; ++run) {                                             \
            const type *source = rows[0] + (first - shape->pad_left) * shape->input_channels + run * length; \
            output = tinycc_pad_fill_##element(output, data->pad_value, shape->channels_before);             \
            memcpy(output, source, (size_t)length * sizeof(*output));                                        \
            output += length;                                                                                \
            output = tinycc_pad_fill_##element(output, data->pad_value, shape->channels_after);              \
        }                                                                                                    \
        tinycc_pad_fill_##element(output, data->pad_value, (x1 - end) * channels);                           \
    }

TINYCC_DEFINE_PAD(int8, int8_t, int32_t, tinycc_pad)
TINYCC_DEFINE_PAD(int16, int16_t, int32_t, tinycc_pad)
TINYCC_DEFINE_PAD(float32, float, float, tinycc_pad_float)

#undef TINYCC_DEFINE_PAD

#endif
