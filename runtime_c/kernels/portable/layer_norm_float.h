/* Normalisation of float32 over the channels of each pixel.
 *
 *   out[c] = (in[c] - mean) / sqrt(variance + epsilon) * scale[c] + offset[c]
 *
 * Mean and variance are of the pixel's channels, which are read three times. Aliasing: a channel is written
 * once it is read, and mean and variance are known; in place is right.
 * Reference: ONNX, LayerNormalization over the last axis. */
#ifndef TINYCC_LAYER_NORM_FLOAT_H
#define TINYCC_LAYER_NORM_FLOAT_H

#include "../shared/float_functions.h"

typedef struct {
    int32_t channels;
} tinycc_layer_norm_float_shape;

typedef struct {
    const float *scale;  /* [channels] */
    const float *offset; /* [channels] */
    float epsilon;
} tinycc_layer_norm_float_data;

TINYCC_INLINE void tinycc_layer_norm_float32(const float *row, float *out_row, int32_t x0, int32_t x1,
                                             const tinycc_layer_norm_float_shape *shape,
                                             const tinycc_layer_norm_float_data *data)
{
    const float share = 1.0f / (float)shape->channels;
    for (int32_t x = x0; x < x1; ++x) {
        const float *input = row + x * shape->channels;
        float *output = out_row + x * shape->channels;
        float sum = 0.0f, squares = 0.0f;
        for (int32_t c = 0; c < shape->channels; ++c) {
            sum += input[c];
        }
        const float mean = sum * share;
        for (int32_t c = 0; c < shape->channels; ++c) {
            squares += (input[c] - mean) * (input[c] - mean);
        }
        const float factor = tinycc_reciprocal_root(squares * share + data->epsilon);
        for (int32_t c = 0; c < shape->channels; ++c) {
            output[c] = (input[c] - mean) * factor * data->scale[c] + data->offset[c];
        }
    }
}

#endif
