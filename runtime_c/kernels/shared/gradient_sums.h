/* Sums of gradients times int8 weights, for two pixels and several inputs of a layer together.
 *
 * A weight is made a real number once for many pixels, a gradient is loaded once for all inputs, and no sum
 * waits for the one before it.
 *
 * Outputs whose gradients are 0 for both pixels are left out: what a clamp stopped is so, and often for whole
 * neighbourhoods. It changes no bit. Weights are finite, so that the products would be 0 or -0; and a sum
 * that began at 0 is never -0, as only -0 + -0 is, so that it stays what it is with either. */
#ifndef TINYCC_GRADIENT_SUMS_H
#define TINYCC_GRADIENT_SUMS_H

#include "common.h"
#include "fpu.h"

/* Pixels and inputs that are summed together: with the gradients of two outputs, the weights of one, and
 * products, all of the 32 registers of an FPU. */
#define TINYCC_GRADIENT_PIXELS 2
#define TINYCC_GRADIENT_INPUTS 8
/* Outputs whose weights are real numbers at a time; a word has a bit for each. */
#define TINYCC_GRADIENT_OUTPUTS 32

#if TINYCC_HAS_FPU

/* All products with the weights of an output, for both pixels. */
#define TINYCC_GRADIENT_STEP(first, second)                                                                  \
    "vldmia.f32 %[weights]!, {s16, s17, s18, s19, s20, s21, s22, s23}\n\t" TINYCC_FPU_PRODUCTS(              \
        first, "s16", "s17", "s18", "s19", "s0", "s1", "s2", "s3")                                           \
        TINYCC_FPU_PRODUCTS(first, "s20", "s21", "s22", "s23", "s4", "s5", "s6", "s7")                       \
            TINYCC_FPU_PRODUCTS(second, "s16", "s17", "s18", "s19", "s8", "s9", "s10", "s11")                \
                TINYCC_FPU_PRODUCTS(second, "s20", "s21", "s22", "s23", "s12", "s13", "s14", "s15")

/* tinycc_gradient_sums of as many pixels and inputs as fit the registers. Outputs one after the other, or,
 * where none is left out, two at a time. */
TINYCC_INLINE void tinycc_gradient_block(float *output, int32_t output_pitch, const float *gradient,
                                         int32_t pitch, const float *weights, uint32_t present, int32_t count)
{
    const int is_whole = count % 2 == 0 && ~present >> (TINYCC_GRADIENT_OUTPUTS - count) == 0;
    int32_t pairs = is_whole ? count / 2 : 0;
    float *next = output + output_pitch;
    const float *second = gradient + pitch;
    __asm__ volatile(
        "vldmia.f32 %[output], {s0, s1, s2, s3, s4, s5, s6, s7}\n\t"
        "vldmia.f32 %[next], {s8, s9, s10, s11, s12, s13, s14, s15}\n\t"
        "cmp %[pairs], #0\n\t"
        "beq 3f\n\t"
        "1:\n\t"
        "vldmia.f32 %[first]!, {s24, s25}\n\t"
        "vldmia.f32 %[second]!, {s26, s27}\n\t" TINYCC_GRADIENT_STEP("s24", "s26")
            TINYCC_GRADIENT_STEP("s25", "s27") "subs %[pairs], #1\n\t"
                                               "bne 1b\n\t"
                                               "b 5f\n\t"
                                               "2:\n\t"
                                               "vldmia.f32 %[first]!, {s24}\n\t"
                                               "vldmia.f32 %[second]!, {s26}\n\t" TINYCC_GRADIENT_STEP(
                                                   "s24", "s26") "3:\n\t"
                                                                 "lsls %[present], #1\n\t"
                                                                 "bcs 2b\n\t"
                                                                 "beq 5f\n\t"
                                                                 "4:\n\t"
                                                                 "add %[first], #4\n\t"
                                                                 "add %[second], #4\n\t"
                                                                 "add %[weights], #32\n\t"
                                                                 "lsls %[present], #1\n\t"
                                                                 "bcc 4b\n\t"
                                                                 "b 2b\n\t"
                                                                 "5:\n\t"
                                                                 "vstmia.f32 %[output], {s0, s1, s2, s3, s4, "
                                                                 "s5, s6, s7}\n\t"
                                                                 "vstmia.f32 %[next], {s8, s9, s10, s11, "
                                                                 "s12, s13, s14, s15}\n\t"
        : [first] "+r"(gradient), [second] "+r"(second), [weights] "+r"(weights), [present] "+r"(present),
          [pairs] "+r"(pairs)
        : [output] "r"(output), [next] "r"(next)
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14",
          "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", "s28",
          "s29", "s30", "s31", "cc", "memory");
}

#endif

/* A bit, from the highest on, for each of `count` outputs: whether the gradient of any pixel is not 0. */
TINYCC_INLINE uint32_t tinycc_gradient_present(const float *gradient, int32_t pitch, int32_t pixels,
                                               int32_t count)
{
    uint32_t present = 0;
    for (int32_t o = 0; o < count; ++o) {
        uint32_t all = 0;
        TINYCC_UNROLL
        for (int32_t p = 0; p < pixels; ++p) {
            uint32_t bits;
            memcpy(&bits, gradient + p * pitch + o, sizeof bits);
            all |= bits;
        }
        present = present << 1 | (all << 1 != 0 ? 1 : 0);
    }
    return present << (TINYCC_GRADIENT_OUTPUTS - count);
}

/* weights[o][i], from which on there are `inputs` of `count` outputs, as real numbers, and zeros for others.
 */
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
            "ldrsb %[a], [%[weights], #4]\n\t"
            "ldrsb %[b], [%[weights], #5]\n\t"
            "vmov s20, s21, %[a], %[b]\n\t"
            "ldrsb %[a], [%[weights], #6]\n\t"
            "ldrsb %[b], [%[weights], #7]\n\t"
            "vmov s22, s23, %[a], %[b]\n\t"
            "add %[weights], %[pitch]\n\t"
            "vcvt.f32.s32 s16, s16\n\t"
            "vcvt.f32.s32 s17, s17\n\t"
            "vcvt.f32.s32 s18, s18\n\t"
            "vcvt.f32.s32 s19, s19\n\t"
            "vcvt.f32.s32 s20, s20\n\t"
            "vcvt.f32.s32 s21, s21\n\t"
            "vcvt.f32.s32 s22, s22\n\t"
            "vcvt.f32.s32 s23, s23\n\t"
            "vstmia.f32 %[place]!, {s16, s17, s18, s19, s20, s21, s22, s23}\n\t"
            "subs %[count], #1\n\t"
            "bne 1b\n\t"
            : [weights] "+r"(weights), [place] "+r"(place), [count] "+r"(count), [a] "=&r"(a), [b] "=&r"(b)
            : [pitch] "r"(pitch)
            : "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "cc", "memory");
        return;
    }
#endif
    for (int32_t o = 0; o < count; ++o) {
        TINYCC_UNROLL
        for (int32_t i = 0; i < TINYCC_GRADIENT_INPUTS; ++i) {
            real[o][i] = i < inputs ? (float)weights[i] : 0.0f;
        }
        weights += pitch;
    }
}

/* output[p * output_pitch + i] += sum over the outputs o that are present, of `count`, ascending, of
 * gradient[p * pitch + o] * weights[o][i] */
TINYCC_INLINE void tinycc_gradient_sums(float *output, int32_t output_pitch, int32_t pixels, int32_t inputs,
                                        const float *gradient, int32_t pitch,
                                        float weights[][TINYCC_GRADIENT_INPUTS], uint32_t present,
                                        int32_t count)
{
    float sums[TINYCC_GRADIENT_PIXELS][TINYCC_GRADIENT_INPUTS] = {{0.0f}};
    (void)count;
#if TINYCC_HAS_FPU
    if (pixels == TINYCC_GRADIENT_PIXELS && inputs == TINYCC_GRADIENT_INPUTS) {
        tinycc_gradient_block(output, output_pitch, gradient, pitch, weights[0], present, count);
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
#if TINYCC_HAS_FPU
    if (pixels == TINYCC_GRADIENT_PIXELS) {
        tinycc_gradient_block(sums[0], TINYCC_GRADIENT_INPUTS, gradient, pitch, weights[0], present, count);
        present = 0;
    }
#endif
    for (int32_t o = 0; present != 0; ++o, present <<= 1) {
        if (present >> (TINYCC_GRADIENT_OUTPUTS - 1) == 0) {
            continue;
        }
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
