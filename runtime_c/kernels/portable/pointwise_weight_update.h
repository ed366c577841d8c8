/* As weight_update.h for windows of one pixel and one group: inputs are made real numbers once for all
 * outputs.
 *
 * Aliasing: as in weight_update.h. */
#ifndef TINYCC_POINTWISE_WEIGHT_UPDATE_H
#define TINYCC_POINTWISE_WEIGHT_UPDATE_H

#include "../shared/fpu.h"
#include "weight_update.h"

typedef tinycc_weight_update_shape tinycc_pointwise_weight_update_shape;
typedef tinycc_weight_update_data tinycc_pointwise_weight_update_data;

#if TINYCC_HAS_FPU

#define TINYCC_UPDATE_PRODUCTS(gradient, sum0, sum1, sum2, sum3)                                             \
    TINYCC_FPU_PRODUCTS(gradient, "s16", "s17", "s18", "s19", sum0, sum1, sum2, sum3)

/* sums[o][i] += sum over `pixels` pixels, ascending, of gradient[o] * source[i], of as many outputs and
 * inputs as fit the registers; gradient: `pitch` from pixel to pixel. */
TINYCC_INLINE void tinycc_pointwise_update_sums(float sums[][TINYCC_UPDATE_INPUTS], const float *gradient,
                                                int32_t pitch, const float *source, int32_t pixels)
{
    const int32_t step = 4 * pitch;
    __asm__ volatile(
        "vldmia.f32 %[sums], {s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15}\n\t"
        "1:\n\t"
        "vldmia.f32 %[gradient], {s20, s21, s22, s23}\n\t"
        "add %[gradient], %[step]\n\t"
        "vldmia.f32 %[source]!, {s16, s17, s18, s19}\n\t" TINYCC_UPDATE_PRODUCTS(
            "s20", "s0", "s1", "s2", "s3") TINYCC_UPDATE_PRODUCTS("s21", "s4", "s5", "s6", "s7")
            TINYCC_UPDATE_PRODUCTS("s22", "s8", "s9", "s10", "s11") TINYCC_UPDATE_PRODUCTS(
                "s23", "s12", "s13", "s14", "s15") "subs %[pixels], #1\n\t"
                                                   "bne 1b\n\t"
                                                   "vstmia.f32 %[sums], {s0, s1, s2, s3, s4, s5, s6, s7, s8, "
                                                   "s9, s10, s11, s12, s13, s14, s15}\n\t"
        : [gradient] "+r"(gradient), [source] "+r"(source), [pixels] "+r"(pixels)
        : [sums] "r"(sums), [step] "r"(step)
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14",
          "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s28", "s29", "s30", "s31", "cc",
          "memory");
}

#endif

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
        tinycc_pointwise_update_sums(sums, gradient, shape->gradient_channels, source, pixels);
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
