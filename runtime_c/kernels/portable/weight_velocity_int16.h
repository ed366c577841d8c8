/* The velocity of a layer's weights after a step down the gradient of its sums, which is of integers:
 *
 *   factor = rate * scaling[o] * 2**(exponent + offset)
 *   out[o][j][k][i] = next(v[o][j][k][i], decay, factor * sum)
 *
 * sum: weight_update_int16.h. next: shared/velocity.h, with the bits of weights behind the point. The kernel
 * takes whole tensors; [x0, x1) are all outputs. Aliasing: output may overlap the velocity anyhow; it must
 * not overlap what else is read. */
#ifndef TINYCC_WEIGHT_VELOCITY_INT16_H
#define TINYCC_WEIGHT_VELOCITY_INT16_H

#include "../shared/velocity.h"
#include "weight_update_int16.h"

typedef tinycc_weight_update_int16_shape tinycc_weight_velocity_int16_shape;

typedef struct {
    const float *scaling; /* [gradient_channels] */
    int32_t zero_point;
    int32_t offset;
} tinycc_weight_velocity_int16_data;

typedef struct {
    const int16_t *gradient;
    const int8_t *source;
    int32_t *velocity;
    float rate;
    int32_t decay;
    int32_t exponent;
} tinycc_weight_velocity_int16_operands;

/* Weights of outputs [o, o + outputs) and of a group's inputs [i, i + inputs). */
TINYCC_INLINE void tinycc_weight_velocity_int16_block(const tinycc_weight_velocity_int16_operands *operands,
                                                      int32_t o, int32_t outputs, int32_t i, int32_t inputs,
                                                      const tinycc_weight_velocity_int16_shape *shape,
                                                      const tinycc_weight_velocity_int16_data *data)
{
    const int32_t taps = shape->kernel_height * shape->kernel_width;
    const int32_t first = o / shape->group_outputs * shape->inputs + i;
    for (int32_t tap = 0; tap < taps; ++tap) {
        tinycc_weight_update_int16_sums sums = {{{0}}, {{0}}};
        tinycc_weight_update_int16_add(&sums, operands->gradient + o, operands->source + first,
                                       tap / shape->kernel_width, tap % shape->kernel_width, outputs, inputs,
                                       data->zero_point, shape);
        for (int32_t p = 0; p < outputs; ++p) {
            const tinycc_gradient_factor factor =
                tinycc_gradient_factor_of(operands->rate * data->scaling[o + p],
                                          operands->exponent + data->offset + TINYCC_VELOCITY_WEIGHT_BITS);
            int32_t *velocity = operands->velocity + ((o + p) * taps + tap) * shape->inputs + i;
            for (int32_t q = 0; q < inputs; ++q) {
                velocity[q] = tinycc_velocity_int32(velocity[q], operands->decay, factor, sums.wholes[p][q]);
            }
        }
    }
}

TINYCC_INLINE void tinycc_weight_velocity_int16(const int16_t *gradient, const int8_t *source,
                                                const float *rate, const int32_t *decay,
                                                const int32_t *velocity, const int32_t *exponent,
                                                int32_t *out_row, int32_t x0, int32_t x1,
                                                const tinycc_weight_velocity_int16_shape *shape,
                                                const tinycc_weight_velocity_int16_data *data)
{
    const int32_t elements = shape->kernel_height * shape->kernel_width * shape->inputs;
    const tinycc_weight_velocity_int16_operands operands = {gradient, source, out_row,
                                                            *rate,    *decay, *exponent};
    if (out_row != velocity) {
        memmove(out_row, velocity, (size_t)(x1 * elements) * sizeof(int32_t));
    }
    for (int32_t o = x0, outputs; o < x1; o += outputs) {
        outputs = tinycc_min(TINYCC_UPDATE_OUTPUTS_INT16, shape->group_outputs - o % shape->group_outputs);
        for (int32_t i = 0, inputs; i < shape->inputs; i += inputs) {
            inputs = tinycc_min(TINYCC_UPDATE_INPUTS_INT16, shape->inputs - i);
            if (outputs == TINYCC_UPDATE_OUTPUTS_INT16 && inputs == TINYCC_UPDATE_INPUTS_INT16) {
                tinycc_weight_velocity_int16_block(&operands, o, TINYCC_UPDATE_OUTPUTS_INT16, i,
                                                   TINYCC_UPDATE_INPUTS_INT16, shape, data);
            } else {
                tinycc_weight_velocity_int16_block(&operands, o, outputs, i, inputs, shape, data);
            }
        }
    }
}

#endif
