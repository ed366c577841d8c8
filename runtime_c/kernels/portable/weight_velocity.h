/* The velocity of a layer's weights after a step, without a gradient of weights in memory:
 *
 *   out[o][j][k][i] = next(v[o][j][k][i], decay, (rate * scaling[o]) * sum)
 *
 * sum: weight_update.h. next: shared/velocity.h. The kernel takes whole tensors; [x0, x1) are all outputs.
 * Aliasing: output may overlap the velocity anyhow; it must not overlap what else is read. */
#ifndef TINYCC_WEIGHT_VELOCITY_H
#define TINYCC_WEIGHT_VELOCITY_H

#include "../shared/velocity.h"
#include "weight_update.h"

typedef tinycc_weight_update_shape tinycc_weight_velocity_shape;

typedef struct {
    const float *scaling; /* [gradient_channels] */
    int32_t zero_point;
} tinycc_weight_velocity_data;

typedef struct {
    const float *gradient;
    const int8_t *source;
    float *velocity;
    float rate;
    float decay;
} tinycc_weight_velocity_operands;

/* Weights of outputs [o, o + outputs) and of a group's inputs [i, i + inputs). */
TINYCC_INLINE void tinycc_weight_velocity_block(const tinycc_weight_velocity_operands *operands, int32_t o,
                                                int32_t outputs, int32_t i, int32_t inputs,
                                                const tinycc_weight_velocity_shape *shape,
                                                const tinycc_weight_velocity_data *data)
{
    const int32_t taps = shape->kernel_height * shape->kernel_width;
    const int32_t first = o / shape->group_outputs * shape->inputs + i;
    for (int32_t tap = 0; tap < taps; ++tap) {
        float sums[TINYCC_UPDATE_OUTPUTS][TINYCC_UPDATE_INPUTS] = {{0.0f}};
        tinycc_weight_update_sums(sums, operands->gradient + o, operands->source + first,
                                  tap / shape->kernel_width, tap % shape->kernel_width, outputs, inputs,
                                  data->zero_point, shape);
        for (int32_t p = 0; p < outputs; ++p) {
            const float factor = operands->rate * data->scaling[o + p];
            float *velocity = operands->velocity + ((o + p) * taps + tap) * shape->inputs + i;
            for (int32_t q = 0; q < inputs; ++q) {
                velocity[q] = tinycc_velocity_float32(velocity[q], operands->decay, factor * sums[p][q],
                                                      (float)TINYCC_WEIGHT_BOUND);
            }
        }
    }
}

TINYCC_INLINE void tinycc_weight_velocity_float32(const float *gradient, const int8_t *source,
                                                  const float *rate, const float *decay,
                                                  const float *velocity, float *out_row, int32_t x0,
                                                  int32_t x1, const tinycc_weight_velocity_shape *shape,
                                                  const tinycc_weight_velocity_data *data)
{
    const int32_t elements = shape->kernel_height * shape->kernel_width * shape->inputs;
    const tinycc_weight_velocity_operands operands = {gradient, source, out_row, *rate, *decay};
    if (out_row != velocity) {
        memmove(out_row, velocity, (size_t)(x1 * elements) * sizeof(float));
    }
    for (int32_t o = x0, outputs; o < x1; o += outputs) {
        outputs = tinycc_min(TINYCC_UPDATE_OUTPUTS, shape->group_outputs - o % shape->group_outputs);
        for (int32_t i = 0, inputs; i < shape->inputs; i += inputs) {
            inputs = tinycc_min(TINYCC_UPDATE_INPUTS, shape->inputs - i);
            if (outputs == TINYCC_UPDATE_OUTPUTS && inputs == TINYCC_UPDATE_INPUTS) {
                tinycc_weight_velocity_block(&operands, o, TINYCC_UPDATE_OUTPUTS, i, TINYCC_UPDATE_INPUTS,
                                             shape, data);
            } else {
                tinycc_weight_velocity_block(&operands, o, outputs, i, inputs, shape, data);
            }
        }
    }
}

#endif
