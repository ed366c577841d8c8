/* Weights of a layer after a step down the gradient of its sums, which is of integers: see weight_update.h.
 *
 *   sum = sum_(oy,ox) gradient[oy][ox][o] * (source[y][x][i] - zero_point), in 64 bits
 *   factor = rate * scaling[o] * 2**(exponent + offset)
 *   out[o][j][k][i] = clamp(w[o][j][k][i] - change(factor, sum), low, 127)
 *
 * or w[o][j][k][i] where there is no change. change: shared/gradient_integers.h.
 * Aliasing: output may overlap the weights anyhow; it must not overlap what else is read. */
#ifndef TINYCC_WEIGHT_UPDATE_INT16_H
#define TINYCC_WEIGHT_UPDATE_INT16_H

#include "../shared/gradient_integers.h"
#include "weight_update.h"

/* Outputs and inputs whose weights are summed for together. */
#define TINYCC_UPDATE_OUTPUTS_INT16 2
#define TINYCC_UPDATE_INPUTS_INT16 2

typedef tinycc_weight_update_shape tinycc_weight_update_int16_shape;

typedef struct {
    const float *scaling; /* [gradient_channels] */
    int32_t zero_point;
    int32_t seed;
    int32_t tensor;
    int32_t low;
    int32_t offset;
} tinycc_weight_update_int16_data;

typedef struct {
    const int16_t *gradient;
    const int8_t *source;
    int8_t *weights;
    float rate;
    int32_t exponent;
    uint32_t key;
} tinycc_weight_update_int16_operands;

/* The sums of a block: in `parts` as far as they are int32, the rest in `wholes`. */
typedef struct {
    int32_t parts[TINYCC_UPDATE_OUTPUTS_INT16][TINYCC_UPDATE_INPUTS_INT16];
    int64_t wholes[TINYCC_UPDATE_OUTPUTS_INT16][TINYCC_UPDATE_INPUTS_INT16];
} tinycc_weight_update_int16_sums;

/* Take the parts to the wholes. */
TINYCC_INLINE void tinycc_weight_update_int16_gather(tinycc_weight_update_int16_sums *sums, int32_t outputs,
                                                     int32_t inputs)
{
    TINYCC_UNROLL
    for (int32_t o = 0; o < outputs; ++o) {
        TINYCC_UNROLL
        for (int32_t i = 0; i < inputs; ++i) {
            sums->wholes[o][i] += sums->parts[o][i];
            sums->parts[o][i] = 0;
        }
    }
}

/* sums of `outputs` and `inputs`, from `gradient` and `source` on, for tap (j, k). */
TINYCC_INLINE void tinycc_weight_update_int16_add(tinycc_weight_update_int16_sums *sums,
                                                  const int16_t *gradient, const int8_t *source, int32_t j,
                                                  int32_t k, int32_t outputs, int32_t inputs,
                                                  int32_t zero_point,
                                                  const tinycc_weight_update_int16_shape *shape)
{
    const int32_t above = j * shape->dilation_height - shape->pad_top;
    const int32_t left = k * shape->dilation_width - shape->pad_left;
    const tinycc_range rows =
        tinycc_spread_range(above, shape->stride_height, shape->gradient_height, shape->source_height);
    const tinycc_range columns =
        tinycc_spread_range(left, shape->stride_width, shape->gradient_width, shape->source_width);
    const int is_long = shape->gradient_height * shape->gradient_width > shape->run;
    const int32_t pixel_step = shape->stride_width * shape->source_channels;
    for (int32_t y = rows.begin; y < rows.end; ++y) {
        const int16_t *values =
            gradient + (y * shape->gradient_width + columns.begin) * shape->gradient_channels;
        const int8_t *pixel = source + ((y * shape->stride_height + above) * shape->source_width +
                                        columns.begin * shape->stride_width + left) *
                                           shape->source_channels;
        for (int32_t x = columns.begin; x < columns.end;) {
            const int32_t end = is_long ? tinycc_min(x + shape->run, columns.end) : columns.end;
            for (; x < end; ++x) {
                TINYCC_UNROLL
                for (int32_t i = 0; i < inputs; ++i) {
                    const int32_t input = pixel[i] - zero_point;
                    TINYCC_UNROLL
                    for (int32_t o = 0; o < outputs; ++o) {
                        sums->parts[o][i] += values[o] * input;
                    }
                }
                values += shape->gradient_channels;
                pixel += pixel_step;
            }
            if (is_long) {
                tinycc_weight_update_int16_gather(sums, outputs, inputs);
            }
        }
    }
    if (!is_long) {
        tinycc_weight_update_int16_gather(sums, outputs, inputs);
    }
}

/* A weight, of this number in the tensor, after a change. */
TINYCC_INLINE void tinycc_weight_update_int16_step(const tinycc_weight_update_int16_operands *operands,
                                                   int32_t element, int32_t change, int32_t low)
{
    if (change != 0) {
        int8_t *weight = operands->weights + element;
        *weight = (int8_t)tinycc_clamp(*weight - change, low, INT8_MAX);
    }
}

/* The weight of this number in the tensor, by factor * sum. */
TINYCC_SHARED void tinycc_weight_update_int16_change(const tinycc_weight_update_int16_operands *operands,
                                                     tinycc_gradient_factor factor, int64_t sum,
                                                     int32_t element, int32_t is_stochastic, int32_t low)
{
    const uint32_t random = tinycc_gradient_random(operands->key, element, is_stochastic);
    const int32_t change = tinycc_gradient_change(factor, sum, TINYCC_WEIGHT_BOUND, random);
    tinycc_weight_update_int16_step(operands, element, change, low);
}

/* Weights of outputs [o, o + outputs) and of a group's inputs [i, i + inputs). */
TINYCC_INLINE void tinycc_weight_update_int16_block(const tinycc_weight_update_int16_operands *operands,
                                                    int32_t group, int32_t o, int32_t outputs, int32_t i,
                                                    int32_t inputs,
                                                    const tinycc_weight_update_int16_shape *shape,
                                                    const tinycc_weight_update_int16_data *data)
{
    const int32_t taps = shape->kernel_height * shape->kernel_width;
    for (int32_t tap = 0; tap < taps; ++tap) {
        tinycc_weight_update_int16_sums sums = {{{0}}, {{0}}};
        tinycc_weight_update_int16_add(
            &sums, operands->gradient + o, operands->source + group * shape->trained_inputs + i,
            tap / shape->kernel_width, tap % shape->kernel_width, outputs, inputs, data->zero_point, shape);
        for (int32_t p = 0; p < outputs; ++p) {
            const tinycc_gradient_factor factor = tinycc_gradient_factor_of(
                operands->rate * data->scaling[o + p], operands->exponent + data->offset);
            for (int32_t q = 0; q < inputs; ++q) {
                tinycc_weight_update_int16_change(operands, factor, sums.wholes[p][q],
                                                  ((o + p) * taps + tap) * shape->inputs + i + q,
                                                  shape->is_stochastic, data->low);
            }
        }
    }
}

/* Weights of outputs [o, o + outputs), all of one group. */
TINYCC_INLINE void tinycc_weight_update_int16_outputs(const tinycc_weight_update_int16_operands *operands,
                                                      int32_t group, int32_t o, int32_t outputs,
                                                      const tinycc_weight_update_int16_shape *shape,
                                                      const tinycc_weight_update_int16_data *data)
{
    const int32_t rest = shape->trained_inputs % TINYCC_UPDATE_INPUTS_INT16;
    int32_t i = 0;
    for (; i < shape->trained_inputs - rest; i += TINYCC_UPDATE_INPUTS_INT16) {
        tinycc_weight_update_int16_block(operands, group, o, outputs, i, TINYCC_UPDATE_INPUTS_INT16, shape,
                                         data);
    }
    if (rest > 0) {
        tinycc_weight_update_int16_block(operands, group, o, outputs, i, rest, shape, data);
    }
}

TINYCC_INLINE void tinycc_weight_update_int16(const int16_t *gradient, const int8_t *source,
                                              const float *rate, const int32_t *step, const int8_t *weights,
                                              const int32_t *exponent, int8_t *out_row, int32_t x0,
                                              int32_t x1, const tinycc_weight_update_int16_shape *shape,
                                              const tinycc_weight_update_int16_data *data)
{
    const int32_t rest = shape->group_outputs % TINYCC_UPDATE_OUTPUTS_INT16;
    const int32_t taps = shape->kernel_height * shape->kernel_width;
    const tinycc_weight_update_int16_operands operands = {
        gradient, source, out_row, *rate, *exponent, tinycc_update_key(data->seed, *step, data->tensor)};
    (void)x0;
    if (out_row != weights) {
        memmove(out_row, weights, (size_t)(x1 * taps * shape->inputs));
    }
    for (int32_t group = 0; group < shape->trained_groups; ++group) {
        const int32_t end = (group + 1) * shape->group_outputs;
        int32_t o = group * shape->group_outputs;
        for (; o < end - rest; o += TINYCC_UPDATE_OUTPUTS_INT16) {
            tinycc_weight_update_int16_outputs(&operands, group, o, TINYCC_UPDATE_OUTPUTS_INT16, shape, data);
        }
        if (rest > 0) {
            tinycc_weight_update_int16_outputs(&operands, group, o, rest, shape, data);
        }
    }
}

#endif
