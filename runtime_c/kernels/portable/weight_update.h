/* Weights of a layer after a step down the gradient of its sums, and without a gradient of weights in memory:
 *
 *   sum = sum_(oy,ox) gradient[oy][ox][o] * (source[y][x][i] - zero_point)
 *   change = floor((rate * scaling[o]) * sum + u)
 *   out[o][j][k][i] = clamp(w[o][j][k][i] - change, low, 127), or w[o][j][k][i] where there is no change
 *
 * over the pixels that tap (j, k) joins, y = oy * stride_height + j * dilation_height - pad_top and x
 * likewise, oy and ox ascending, those outside of the source left out. A product is rounded before it is
 * added, so that every machine has the same bits: see -ffp-contract=off. u and floor: update.h.
 *
 * The source may have only the first of the layer's channels: where there is one group, only weights of these
 * change; where there are several, only those of the first groups.
 * The kernel takes whole tensors; [x0, x1) are all outputs.
 * Aliasing: output may overlap the weights anyhow; it must not overlap what else is read. */
#ifndef TINYCC_WEIGHT_UPDATE_H
#define TINYCC_WEIGHT_UPDATE_H

#include "../shared/spread_window.h"
#include "../shared/update.h"

/* Outputs and inputs whose weights are summed for together. */
#define TINYCC_UPDATE_OUTPUTS 4
#define TINYCC_UPDATE_INPUTS 4

/* Of a change before it is an integer: no weight can change by as much. */
#define TINYCC_WEIGHT_BOUND 512

typedef struct {
    int32_t gradient_height;
    int32_t gradient_width;
    int32_t gradient_channels;
    int32_t source_height;
    int32_t source_width;
    int32_t source_channels;
    int32_t inputs;         /* of a group, with weights */
    int32_t trained_inputs; /* of a group, whose weights change */
    int32_t trained_groups;
    int32_t group_outputs;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t dilation_height;
    int32_t dilation_width;
    int32_t pad_top;
    int32_t pad_left;
    int32_t is_stochastic; /* otherwise to nearest */
    int32_t run;           /* products of integers whose sum is an int32 */
} tinycc_weight_update_shape;

typedef struct {
    const float *scaling; /* [gradient_channels] */
    int32_t zero_point;
    int32_t seed;
    int32_t tensor;
    int32_t low;
} tinycc_weight_update_data;

typedef struct {
    const float *gradient;
    const int8_t *source;
    int8_t *weights;
    float rate;
    uint32_t key;
} tinycc_weight_update_operands;

/* sums[o][i] = sums of `outputs` and `inputs`, from `gradient` and `source` on, for one tap. */
TINYCC_INLINE void tinycc_weight_update_sums(float sums[][TINYCC_UPDATE_INPUTS], const float *gradient,
                                             const int8_t *source, int32_t j, int32_t k, int32_t outputs,
                                             int32_t inputs, int32_t zero_point,
                                             const tinycc_weight_update_shape *shape)
{
    const int32_t above = j * shape->dilation_height - shape->pad_top;
    const int32_t left = k * shape->dilation_width - shape->pad_left;
    const tinycc_range rows =
        tinycc_spread_range(above, shape->stride_height, shape->gradient_height, shape->source_height);
    const tinycc_range columns =
        tinycc_spread_range(left, shape->stride_width, shape->gradient_width, shape->source_width);
    for (int32_t y = rows.begin; y < rows.end; ++y) {
        const float *values =
            gradient + (y * shape->gradient_width + columns.begin) * shape->gradient_channels;
        const int8_t *pixel = source + ((y * shape->stride_height + above) * shape->source_width +
                                        columns.begin * shape->stride_width + left) *
                                           shape->source_channels;
        for (int32_t x = columns.begin; x < columns.end; ++x) {
            float value[TINYCC_UPDATE_OUTPUTS];
            TINYCC_UNROLL
            for (int32_t o = 0; o < outputs; ++o) {
                value[o] = values[o];
            }
            TINYCC_UNROLL
            for (int32_t i = 0; i < inputs; ++i) {
                const float input = (float)(pixel[i] - zero_point);
                TINYCC_UNROLL
                for (int32_t o = 0; o < outputs; ++o) {
                    sums[o][i] += value[o] * input;
                }
            }
            values += shape->gradient_channels;
            pixel += shape->stride_width * shape->source_channels;
        }
    }
}

/* `count` neighbouring weights, of which `first` is the number of the first, by factor * sums. */
TINYCC_SHARED void tinycc_weight_update_change(const tinycc_weight_update_operands *operands,
                                               const float *sums, int32_t count, float factor, int32_t first,
                                               int32_t is_stochastic, int32_t low)
{
    for (int32_t i = 0; i < count; ++i) {
        const float u = is_stochastic ? tinycc_update_random(operands->key, first + i) : 0.5f;
        const int32_t change = tinycc_update_change(factor * sums[i], (float)TINYCC_WEIGHT_BOUND, u);
        int8_t *weight = operands->weights + first + i;
        if (change != 0) {
            *weight = (int8_t)tinycc_clamp(*weight - change, low, INT8_MAX);
        }
    }
}

/* Weights of outputs [o, o + outputs) and of a group's inputs [i, i + inputs). */
TINYCC_INLINE void tinycc_weight_update_block(const tinycc_weight_update_operands *operands, int32_t group,
                                              int32_t o, int32_t outputs, int32_t i, int32_t inputs,
                                              const tinycc_weight_update_shape *shape,
                                              const tinycc_weight_update_data *data)
{
    const int32_t taps = shape->kernel_height * shape->kernel_width;
    for (int32_t tap = 0; tap < taps; ++tap) {
        float sums[TINYCC_UPDATE_OUTPUTS][TINYCC_UPDATE_INPUTS] = {{0.0f}};
        tinycc_weight_update_sums(
            sums, operands->gradient + o, operands->source + group * shape->trained_inputs + i,
            tap / shape->kernel_width, tap % shape->kernel_width, outputs, inputs, data->zero_point, shape);
        TINYCC_UNROLL
        for (int32_t p = 0; p < outputs; ++p) {
            /* A copy, so that the sums themselves may lie in registers. */
            float of_output[TINYCC_UPDATE_INPUTS];
            TINYCC_UNROLL
            for (int32_t q = 0; q < inputs; ++q) {
                of_output[q] = sums[p][q];
            }
            tinycc_weight_update_change(operands, of_output, inputs, operands->rate * data->scaling[o + p],
                                        ((o + p) * taps + tap) * shape->inputs + i, shape->is_stochastic,
                                        data->low);
        }
    }
}

/* Weights of outputs [o, o + outputs), all of one group. */
TINYCC_INLINE void tinycc_weight_update_outputs(const tinycc_weight_update_operands *operands, int32_t group,
                                                int32_t o, int32_t outputs,
                                                const tinycc_weight_update_shape *shape,
                                                const tinycc_weight_update_data *data)
{
    const int32_t rest = shape->trained_inputs % TINYCC_UPDATE_INPUTS;
    int32_t i = 0;
    for (; i < shape->trained_inputs - rest; i += TINYCC_UPDATE_INPUTS) {
        tinycc_weight_update_block(operands, group, o, outputs, i, TINYCC_UPDATE_INPUTS, shape, data);
    }
    if (rest > 0) {
        tinycc_weight_update_block(operands, group, o, outputs, i, rest, shape, data);
    }
}

TINYCC_INLINE void tinycc_weight_update_int8(const float *gradient, const int8_t *source, const float *rate,
                                             const int32_t *step, const int8_t *weights, int8_t *out_row,
                                             int32_t x0, int32_t x1, const tinycc_weight_update_shape *shape,
                                             const tinycc_weight_update_data *data)
{
    const int32_t rest = shape->group_outputs % TINYCC_UPDATE_OUTPUTS;
    const int32_t taps = shape->kernel_height * shape->kernel_width;
    const tinycc_weight_update_operands operands = {gradient, source, out_row, *rate,
                                                    tinycc_update_key(data->seed, *step, data->tensor)};
    (void)x0;
    if (out_row != weights) {
        memmove(out_row, weights, (size_t)(x1 * taps * shape->inputs));
    }
    for (int32_t group = 0; group < shape->trained_groups; ++group) {
        const int32_t end = (group + 1) * shape->group_outputs;
        int32_t o = group * shape->group_outputs;
        for (; o < end - rest; o += TINYCC_UPDATE_OUTPUTS) {
            tinycc_weight_update_outputs(&operands, group, o, TINYCC_UPDATE_OUTPUTS, shape, data);
        }
        if (rest > 0) {
            tinycc_weight_update_outputs(&operands, group, o, rest, shape, data);
        }
    }
}

#endif
