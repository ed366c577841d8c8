/* As weight_update.h for windows of one pixel and one group: inputs are made real numbers once for all
 * outputs.
 *
 * Aliasing: as in weight_update.h. */
#ifndef TINYCC_POINTWISE_WEIGHT_UPDATE_H
#define TINYCC_POINTWISE_WEIGHT_UPDATE_H

#include "../shared/gradient_sums.h"
#include "weight_update.h"

typedef tinycc_weight_update_shape tinycc_pointwise_weight_update_shape;
typedef tinycc_weight_update_data tinycc_pointwise_weight_update_data;

/* Weights of outputs [o, o + outputs) and of inputs [i, i + inputs), of which `source` has all pixels, four
 * to each. */
TINYCC_INLINE void tinycc_pointwise_update_block(const tinycc_weight_update_operands *operands,
                                                 const float *source, int32_t o, int32_t outputs, int32_t i,
                                                 int32_t inputs,
                                                 const tinycc_pointwise_weight_update_shape *shape,
                                                 const tinycc_pointwise_weight_update_data *data)
{
    const int32_t pixels = shape->gradient_height * shape->gradient_width;
    const float *gradient = operands->gradient + o;
    float sums[TINYCC_UPDATE_OUTPUTS][TINYCC_UPDATE_INPUTS] = {{0.0f}};
#if TINYCC_HAS_FPU
    if (outputs == TINYCC_UPDATE_OUTPUTS) {
        tinycc_gradient_products(sums, gradient, shape->gradient_channels, source, pixels);
    } else
#endif
    {
        for (int32_t p = 0; p < pixels; ++p) {
            TINYCC_UNROLL
            for (int32_t k = 0; k < outputs; ++k) {
                TINYCC_UNROLL
                for (int32_t q = 0; q < TINYCC_UPDATE_INPUTS; ++q) {
                    sums[k][q] += gradient[k] * source[q];
                }
            }
            gradient += shape->gradient_channels;
            source += TINYCC_UPDATE_INPUTS;
        }
    }
    for (int32_t k = 0; k < outputs; ++k) {
        tinycc_weight_update_change(operands, sums[k], inputs, operands->rate * data->scaling[o + k],
                                    (o + k) * shape->inputs + i, shape->is_stochastic, data->low);
    }
}

/* Weights of inputs [i, i + inputs). real: room for four inputs of all pixels. */
TINYCC_INLINE void tinycc_pointwise_update_inputs(const tinycc_weight_update_operands *operands, float *real,
                                                  int32_t i, int32_t inputs,
                                                  const tinycc_pointwise_weight_update_shape *shape,
                                                  const tinycc_pointwise_weight_update_data *data)
{
    const int32_t rest = shape->gradient_channels % TINYCC_UPDATE_OUTPUTS;
    const int8_t *source = operands->source + i;
    int32_t o = 0;
    for (int32_t p = 0; p < shape->gradient_height * shape->gradient_width; ++p) {
        TINYCC_UNROLL
        for (int32_t q = 0; q < TINYCC_UPDATE_INPUTS; ++q) {
            real[p * TINYCC_UPDATE_INPUTS + q] = q < inputs ? (float)(source[q] - data->zero_point) : 0.0f;
        }
        source += shape->source_channels;
    }
    for (; o < shape->gradient_channels - rest; o += TINYCC_UPDATE_OUTPUTS) {
        tinycc_pointwise_update_block(operands, real, o, TINYCC_UPDATE_OUTPUTS, i, inputs, shape, data);
    }
    if (rest > 0) {
        tinycc_pointwise_update_block(operands, real, o, rest, i, inputs, shape, data);
    }
}

/* scratch: four real numbers for every pixel. */
TINYCC_INLINE void tinycc_pointwise_weight_update_int8(const float *gradient, const int8_t *source,
                                                       const float *rate, const int32_t *step,
                                                       const int8_t *weights, int8_t *out_row, void *scratch,
                                                       int32_t x0, int32_t x1,
                                                       const tinycc_pointwise_weight_update_shape *shape,
                                                       const tinycc_pointwise_weight_update_data *data)
{
    const int32_t inputs = shape->trained_inputs, rest = inputs % TINYCC_UPDATE_INPUTS;
    const tinycc_weight_update_operands operands = {gradient, source, out_row, *rate,
                                                    tinycc_update_key(data->seed, *step, data->tensor)};
    int32_t i = 0;
    (void)x0;
    if (out_row != weights) {
        memmove(out_row, weights, (size_t)(x1 * shape->inputs));
    }
    for (; i < inputs - rest; i += TINYCC_UPDATE_INPUTS) {
        tinycc_pointwise_update_inputs(&operands, (float *)scratch, i, TINYCC_UPDATE_INPUTS, shape, data);
    }
    if (rest > 0) {
        tinycc_pointwise_update_inputs(&operands, (float *)scratch, i, rest, shape, data);
    }
}

#endif
