/* Constant padding of rows, columns and channels.
 *
 * rows[0] is the input row, NULL above and below the input; a row is [width][channels].
 * Aliasing: output must not overlap input.
 * Reference: TFLite, PAD and PADV2. */
#ifndef TINYCC_PAD_H
#define TINYCC_PAD_H

#include "common.h"

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

/* One kernel for each element type. */
#define TINYCC_DEFINE_PAD(element)                                                                           \
    TINYCC_INLINE void tinycc_pad_##element(const element##_t *const *rows, element##_t *out_row,            \
                                            int32_t x0, int32_t x1, const tinycc_pad_shape *shape,           \
                                            const tinycc_pad_data *data)                                     \
    {                                                                                                        \
        const int32_t channels = shape->channels_before + shape->input_channels + shape->channels_after;     \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            const int32_t column = x - shape->pad_left;                                                      \
            const int inside = rows[0] != NULL && column >= 0 && column < shape->input_width;                \
            for (int32_t c = 0; c < channels; ++c) {                                                         \
                const int32_t channel = c - shape->channels_before;                                          \
                const int taken = inside && channel >= 0 && channel < shape->input_channels;                 \
                out_row[x * channels + c] = taken ? rows[0][column * shape->input_channels + channel]        \
                                                  : (element##_t)data->pad_value;                            \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_PAD(int8)
TINYCC_DEFINE_PAD(int16)

#undef TINYCC_DEFINE_PAD

#endif
