/* Sums of gradients times int8 weights, for several pixels and several inputs of a layer together.
 *
 * A weight is made a real number once for many pixels, a gradient is loaded once for all inputs, and no sum
 * waits for the one before it. A product is rounded before it is added, so that every machine has the same
 * bits: see -ffp-contract=off. */
#ifndef TINYCC_GRADIENT_SUMS_H
#define TINYCC_GRADIENT_SUMS_H

#include "common.h"

/* Pixels and inputs that are summed together: with the gradients and weights of two outputs, and products,
 * all of the 32 registers of an FPU. */
#define TINYCC_GRADIENT_PIXELS 4
#define TINYCC_GRADIENT_INPUTS 4

#if defined(__thumb2__) && defined(__ARM_FP) && (__ARM_FP & 4) && defined(__GNUC__)
#define TINYCC_HAS_FPU 1
#else
#define TINYCC_HAS_FPU 0
#endif

#if TINYCC_HAS_FPU

/* All products with four weights, s16 to s19: `sums` of the inputs of a pixel += its gradient times
 * them. */
#define TINYCC_GRADIENT_PRODUCTS(gradient, sum0, sum1, sum2, sum3)                                           \
    "vmul.f32 s28, " gradient ", s16\n\t"                                                                    \
    "vmul.f32 s29, " gradient ", s17\n\t"                                                                    \
    "vmul.f32 s30, " gradient ", s18\n\t"                                                                    \
    "vmul.f32 s31, " gradient ", s19\n\t"                                                                    \
    "vadd.f32 " sum0 ", " sum0 ", s28\n\t"                                                                   \
    "vadd.f32 " sum1 ", " sum1 ", s29\n\t"                                                                   \
    "vadd.f32 " sum2 ", " sum2 ", s30\n\t"                                                                   \
    "vadd.f32 " sum3 ", " sum3 ", s31\n\t"
#define TINYCC_GRADIENT_STEP(first, second, third, fourth)                                                   \
    "vldmia.f32 %[weights]!, {s16, s17, s18, s19}\n\t" TINYCC_GRADIENT_PRODUCTS(                             \
        first, "s0", "s1", "s2", "s3") TINYCC_GRADIENT_PRODUCTS(second, "s4", "s5", "s6", "s7")              \
        TINYCC_GRADIENT_PRODUCTS(third, "s8", "s9", "s10", "s11")                                            \
            TINYCC_GRADIENT_PRODUCTS(fourth, "s12", "s13", "s14", "s15")

/* tinycc_gradient_sums of as many pixels and inputs as fit the registers. */
TINYCC_INLINE void tinycc_gradient_block(float *output, int32_t output_pitch, const float *gradient,
                                         int32_t pitch, const float *weights, int32_t count)
{
    const float *second = gradient + pitch, *third = second + pitch, *fourth = third + pitch;
    const int32_t step = 4 * output_pitch;
    __asm__ volatile(
        "vldmia.f32 %[output], {s0, s1, s2, s3}\n\t"
        "add %[output], %[step]\n\t"
        "vldmia.f32 %[output], {s4, s5, s6, s7}\n\t"
        "add %[output], %[step]\n\t"
        "vldmia.f32 %[output], {s8, s9, s10, s11}\n\t"
        "add %[output], %[step]\n\t"
        "vldmia.f32 %[output], {s12, s13, s14, s15}\n\t"
        "subs %[count], #2\n\t"
        "blt 2f\n\t"
        "1:\n\t"
        "vldmia.f32 %[first]!, {s20, s21}\n\t"
        "vldmia.f32 %[second]!, {s22, s23}\n\t"
        "vldmia.f32 %[third]!, {s24, s25}\n\t"
        "vldmia.f32 %[fourth]!, {s26, s27}\n\t" TINYCC_GRADIENT_STEP("s20", "s22", "s24", "s26")
            TINYCC_GRADIENT_STEP("s21", "s23", "s25",
                                 "s27") "subs %[count], #2\n\t"
                                        "bge 1b\n\t"
                                        "2:\n\t"
                                        "adds %[count], #2\n\t"
                                        "beq 3f\n\t"
                                        "vldr.f32 s20, [%[first]]\n\t"
                                        "vldr.f32 s22, [%[second]]\n\t"
                                        "vldr.f32 s24, [%[third]]\n\t"
                                        "vldr.f32 s26, [%[fourth]]\n\t" TINYCC_GRADIENT_STEP(
                                            "s20", "s22", "s24",
                                            "s26") "3:\n\t"
                                                   "vstmia.f32 %[output], {s12, s13, s14, s15}\n\t"
                                                   "sub %[output], %[step]\n\t"
                                                   "vstmia.f32 %[output], {s8, s9, s10, s11}\n\t"
                                                   "sub %[output], %[step]\n\t"
                                                   "vstmia.f32 %[output], {s4, s5, s6, s7}\n\t"
                                                   "sub %[output], %[step]\n\t"
                                                   "vstmia.f32 %[output], {s0, s1, s2, s3}\n\t"
        : [output] "+r"(output), [first] "+r"(gradient), [second] "+r"(second), [third] "+r"(third),
          [fourth] "+r"(fourth), [weights] "+r"(weights), [count] "+r"(count)
        : [step] "r"(step)
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14",
          "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28",
          "s29", "s30", "s31", "cc", "memory");
}

/* sums[o][i] += sum over `pixels` pixels, ascending, of gradient[o] * source[i], of as many outputs and
 * inputs as fit the registers; gradient: `pitch` from pixel to pixel. */
TINYCC_INLINE void tinycc_gradient_products(float sums[][TINYCC_GRADIENT_INPUTS], const float *gradient,
                                            int32_t pitch, const float *source, int32_t pixels)
{
    const int32_t step = 4 * pitch;
    __asm__ volatile(
        "vldmia.f32 %[sums], {s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15}\n\t"
        "1:\n\t"
        "vldmia.f32 %[gradient], {s20, s21, s22, s23}\n\t"
        "add %[gradient], %[step]\n\t" TINYCC_GRADIENT_STEP(
            "s20", "s21", "s22", "s23") "subs %[pixels], #1\n\t"
                                        "bne 1b\n\t"
                                        "vstmia.f32 %[sums], {s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, "
                                        "s11, s12, s13, s14, s15}\n\t"
        : [gradient] "+r"(gradient), [weights] "+r"(source), [pixels] "+r"(pixels)
        : [sums] "r"(sums), [step] "r"(step)
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14",
          "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s28", "s29", "s30", "s31", "cc",
          "memory");
}

#endif

/* weights[o][i], from which on there are `inputs` of `count` outputs, as real numbers. */
TINYCC_INLINE void tinycc_gradient_weights(float real[][TINYCC_GRADIENT_INPUTS], const int8_t *weights,
                                           int32_t pitch, int32_t inputs, int32_t count)
{
#if TINYCC_HAS_FPU
    if (inputs == TINYCC_GRADIENT_INPUTS) {
        float *place = real[0];
        int32_t a, b;
        __asm__ volatile(
            "1:\n\t"
            "ldrsb %[a], [%[weights]]\n\t"
            "ldrsb %[b], [%[weights], #1]\n\t"
            "vmov s16, s17, %[a], %[b]\n\t"
            "ldrsb %[a], [%[weights], #2]\n\t"
            "ldrsb %[b], [%[weights], #3]\n\t"
            "vmov s18, s19, %[a], %[b]\n\t"
            "add %[weights], %[pitch]\n\t"
            "vcvt.f32.s32 s16, s16\n\t"
            "vcvt.f32.s32 s17, s17\n\t"
            "vcvt.f32.s32 s18, s18\n\t"
            "vcvt.f32.s32 s19, s19\n\t"
            "vstmia.f32 %[place]!, {s16, s17, s18, s19}\n\t"
            "subs %[count], #1\n\t"
            "bne 1b\n\t"
            : [weights] "+r"(weights), [place] "+r"(place), [count] "+r"(count), [a] "=&r"(a), [b] "=&r"(b)
            : [pitch] "r"(pitch)
            : "s16", "s17", "s18", "s19", "cc", "memory");
        return;
    }
#endif
    for (int32_t o = 0; o < count; ++o) {
        TINYCC_UNROLL
        for (int32_t i = 0; i < inputs; ++i) {
            real[o][i] = (float)weights[i];
        }
        weights += pitch;
    }
}

/* output[p * output_pitch + i] += sum over o < count, ascending, of gradient[p * pitch + o] * weights[o][i]
 */
TINYCC_INLINE void tinycc_gradient_sums(float *output, int32_t output_pitch, int32_t pixels, int32_t inputs,
                                        const float *gradient, int32_t pitch,
                                        float weights[][TINYCC_GRADIENT_INPUTS], int32_t count)
{
    float sums[TINYCC_GRADIENT_PIXELS][TINYCC_GRADIENT_INPUTS];
#if TINYCC_HAS_FPU
    if (pixels == TINYCC_GRADIENT_PIXELS && inputs == TINYCC_GRADIENT_INPUTS) {
        tinycc_gradient_block(output, output_pitch, gradient, pitch, weights[0], count);
        return;
    }
#endif
    TINYCC_UNROLL
    for (int32_t p = 0; p < pixels; ++p) {
        TINYCC_UNROLL
        for (int32_t i = 0; i < inputs; ++i) {
            sums[p][i] = output[p * output_pitch + i];
        }
    }
    for (int32_t o = 0; o < count; ++o) {
        TINYCC_UNROLL
        for (int32_t p = 0; p < pixels; ++p) {
            const float value = gradient[p * pitch + o];
            TINYCC_UNROLL
            for (int32_t i = 0; i < inputs; ++i) {
                sums[p][i] += value * weights[o][i];
            }
        }
    }
    TINYCC_UNROLL
    for (int32_t p = 0; p < pixels; ++p) {
        TINYCC_UNROLL
        for (int32_t i = 0; i < inputs; ++i) {
            output[p * output_pitch + i] = sums[p][i];
        }
    }
}

#endif
