/* Bilinear resize of float32: each output is the weighted mean of four input pixels.
 *
 *   top = above[left] + (above[right] - above[left]) * across, bottom the same of the row below
 *   out = top + (bottom - top) * down
 *
 * rows are the input rows above and below output row y, NULL outside of the input, where the other one is
 * taken twice. Aliasing: output must not overlap input. Reference: TFLite float32, RESIZE_BILINEAR. */
#ifndef TINYCC_RESIZE_BILINEAR_FLOAT_H
#define TINYCC_RESIZE_BILINEAR_FLOAT_H

#include "../shared/common.h"

typedef struct {
    int32_t channels;
} tinycc_resize_bilinear_float_shape;

typedef struct {
    const float *down;         /* [output rows], of the row below */
    const float *across;       /* [output columns], of the right neighbour */
    const int16_t *neighbours; /* [output columns][2], left and right */
} tinycc_resize_bilinear_float_data;

TINYCC_INLINE void tinycc_resize_bilinear_float32(const float *const *rows, float *out_row, int32_t y,
                                                  int32_t x0, int32_t x1,
                                                  const tinycc_resize_bilinear_float_shape *shape,
                                                  const tinycc_resize_bilinear_float_data *data)
{
    const float *above = rows[0] == NULL ? rows[1] : rows[0];
    const float *below = rows[1] == NULL ? rows[0] : rows[1];
    const float down = data->down[y];
    for (int32_t x = x0; x < x1; ++x) {
        const int32_t left = data->neighbours[2 * x] * shape->channels;
        const int32_t right = data->neighbours[2 * x + 1] * shape->channels;
        const float across = data->across[x];
        float *output = out_row + x * shape->channels;
        for (int32_t c = 0; c < shape->channels; ++c) {
            const float top = above[left + c] + (above[right + c] - above[left + c]) * across;
            const float bottom = below[left + c] + (below[right + c] - below[left + c]) * across;
            output[c] = top + (bottom - top) * down;
        }
    }
}

#endif
