/* As gradient_exponent.h of int32, with the DSP extension: four elements are loaded together. */
#ifndef TINYCC_GRADIENT_EXPONENT_DSP_H
#define TINYCC_GRADIENT_EXPONENT_DSP_H

#include "../portable/gradient_exponent.h"
#include "dsp.h"

typedef tinycc_gradient_exponent_shape tinycc_gradient_exponent_dsp_shape;
typedef tinycc_gradient_exponent_data tinycc_gradient_exponent_dsp_data;

#define TINYCC_GRADIENT_EXPONENT_DSP_STEP                                                                    \
    "ldmia.w %[g]!, {r8, r9, r10, r11}\n\t"                                                                  \
    "eor r8, r8, r8, asr #31\n\t"                                                                            \
    "eor r9, r9, r9, asr #31\n\t"                                                                            \
    "eor r10, r10, r10, asr #31\n\t"                                                                         \
    "eor r11, r11, r11, asr #31\n\t"                                                                         \
    "orr %[bits], r8\n\t"                                                                                    \
    "orr %[bits], r9\n\t"                                                                                    \
    "orr %[bits], r10\n\t"                                                                                   \
    "orr %[bits], r11\n\t"

TINYCC_INLINE void tinycc_gradient_exponent_dsp_int32(const int32_t *gradient, const int32_t *before,
                                                      int32_t *out_row, int32_t x0, int32_t x1,
                                                      const tinycc_gradient_exponent_dsp_shape *shape,
                                                      const tinycc_gradient_exponent_dsp_data *data)
{
    int32_t left = shape->elements;
    int32_t bits = 0;
    (void)x0;
    (void)x1;
    (void)data;
#if TINYCC_HAS_DSP
    int32_t steps = left / 4;
    left %= 4;
    __asm__ volatile(TINYCC_DSP_LOOP(TINYCC_GRADIENT_EXPONENT_DSP_STEP)
                     : [g] "+r"(gradient), [bits] "+r"(bits), [n] "+r"(steps)
                     :
                     : "r8", "r9", "r10", "r11", "cc", "memory");
#endif
    for (; left > 0; --left) {
        const int32_t value = *gradient++;
        bits |= value ^ value >> 31;
    }
    *out_row = tinycc_gradient_exponent_of((uint32_t)bits, *before);
}

#endif
