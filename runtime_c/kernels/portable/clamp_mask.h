/* Bit i % 8 of out[i / 8], from the lowest on, is whether low < in[i] < high; bits of no element are 0.
 *
 * Columns are bytes of the output.
 * Aliasing: output may be the input; the eight elements of a byte are read before it is written. */
#ifndef TINYCC_CLAMP_MASK_H
#define TINYCC_CLAMP_MASK_H

#include "../shared/common.h"

typedef struct {
    int32_t elements; /* of the input */
} tinycc_clamp_mask_shape;

typedef struct {
    int32_t low;
    int32_t high;
} tinycc_clamp_mask_data;

TINYCC_INLINE void tinycc_clamp_mask_int8(const int8_t *row, uint8_t *out_row, int32_t x0, int32_t x1,
                                          const tinycc_clamp_mask_shape *shape,
                                          const tinycc_clamp_mask_data *data)
{
    for (int32_t x = x0; x < x1; ++x) {
        const int32_t count = tinycc_min(8, shape->elements - 8 * x);
        uint32_t bits = 0;
        for (int32_t k = 0; k < count; ++k) {
            const int32_t value = row[8 * x + k];
            bits |= (data->low < value && value < data->high) ? 1u << k : 0;
        }
        out_row[x] = (uint8_t)bits;
    }
}

#endif
