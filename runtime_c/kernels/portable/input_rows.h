/* A row of the model's input, as the caller hands it over, into the ring where the model reads it.
 *
 * Aliasing: the row may be where it goes, written in place by the caller; otherwise they must not overlap. */
#ifndef TINYCC_INPUT_ROWS_H
#define TINYCC_INPUT_ROWS_H

#include "flip_sign.h"

typedef struct {
    int32_t channels; /* of a pixel */
} tinycc_input_rows_shape;

typedef struct {
    int32_t zero;
} tinycc_input_rows_data;

#define TINYCC_DEFINE_INPUT_ROWS(name, element)                                                              \
    TINYCC_INLINE void tinycc_input_rows_##name(const element *row, element *out_row, int32_t x0,            \
                                                int32_t x1, const tinycc_input_rows_shape *shape,            \
                                                const tinycc_input_rows_data *data)                          \
    {                                                                                                        \
        (void)data;                                                                                          \
        if (row != out_row) {                                                                                \
            memcpy(out_row + x0 * shape->channels, row + x0 * shape->channels,                               \
                   (size_t)((x1 - x0) * shape->channels) * sizeof(element));                                 \
        }                                                                                                    \
    }

TINYCC_DEFINE_INPUT_ROWS(int8, int8_t)
TINYCC_DEFINE_INPUT_ROWS(uint8, uint8_t)
TINYCC_DEFINE_INPUT_ROWS(int16, int16_t)
TINYCC_DEFINE_INPUT_ROWS(int32, int32_t)
TINYCC_DEFINE_INPUT_ROWS(float32, float)

#undef TINYCC_DEFINE_INPUT_ROWS

/* Of uint8, less 128. */
TINYCC_INLINE void tinycc_input_rows_uint8_int8(const uint8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                                const tinycc_input_rows_shape *shape,
                                                const tinycc_input_rows_data *data)
{
    (void)data;
    tinycc_flip_bytes(row, out_row, x0 * shape->channels, x1 * shape->channels);
}

#endif
