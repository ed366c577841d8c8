/* Softmax of float32 over the channels of each pixel: exp(x - largest) / sum of these.
 *
 * Aliasing: a pixel is written once its largest element is known, element by element; in place is right.
 * Reference: TFLite float32, SOFTMAX. */
#ifndef TINYCC_SOFTMAX_FLOAT_H
#define TINYCC_SOFTMAX_FLOAT_H

#include "../shared/float_functions.h"

typedef struct {
    int32_t channels;
} tinycc_softmax_float_shape;

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_softmax_float_data;

TINYCC_INLINE void tinycc_softmax_float32(const float *row, float *out_row, int32_t x0, int32_t x1,
                                          const tinycc_softmax_float_shape *shape,
                                          const tinycc_softmax_float_data *data)
{
    (void)data;
    for (int32_t x = x0; x < x1; ++x) {
        const float *input = row + x * shape->channels;
        float *output = out_row + x * shape->channels;
        float largest = input[0], sum = 0.0f;
        for (int32_t c = 1; c < shape->channels; ++c) {
            largest = input[c] > largest ? input[c] : largest;
        }
        for (int32_t c = 0; c < shape->channels; ++c) {
            output[c] = tinycc_exp(input[c] - largest);
            sum += output[c];
        }
        const float factor = 1.0f / sum;
        for (int32_t c = 0; c < shape->channels; ++c) {
            output[c] *= factor;
        }
    }
}

#endif
