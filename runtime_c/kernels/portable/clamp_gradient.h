/* The gradient before a result was rescaled and clamped:
 *
 *   out[x][c] = gradient[x][c] * factors[c] where low < result[x][c] < high, else 0
 *
 * A result at a bound counts as clamped, so that the result itself tells. tinycc_mask_gradient has one bit
 * for each element in its place, from the lowest of each byte on, as clamp_mask.h makes them.
 * A column has as many elements as there are factors.
 * Aliasing: output may be the gradient; element after element, each is read before it is written. */
#ifndef TINYCC_CLAMP_GRADIENT_H
#define TINYCC_CLAMP_GRADIENT_H

#include "../shared/common.h"
#include "../shared/fpu.h"

typedef struct {
    int32_t channels; /* and factors */
} tinycc_clamp_gradient_shape;

typedef struct {
    const float *factors;
    int32_t low;
    int32_t high;
} tinycc_clamp_gradient_data;

TINYCC_INLINE void tinycc_clamp_gradient_float32(const float *gradient, const int8_t *result, float *out_row,
                                                 int32_t x0, int32_t x1,
                                                 const tinycc_clamp_gradient_shape *shape,
                                                 const tinycc_clamp_gradient_data *data)
{
    /* low < value < high in one comparison. */
    const uint32_t first = (uint32_t)data->low + 1u;
    const uint32_t count = data->high > data->low ? (uint32_t)(data->high - data->low - 1) : 0u;
    gradient += x0 * shape->channels;
    result += x0 * shape->channels;
    out_row += x0 * shape->channels;
    for (int32_t x = x0; x < x1; ++x) {
        TINYCC_UNROLL_TWICE
        for (int32_t c = 0; c < shape->channels; ++c) {
            const int passes = (uint32_t)*result++ - first < count;
            const float value = *gradient++;
            *out_row++ = passes ? value * data->factors[c] : 0.0f;
        }
    }
}

/* Eight elements, whose bits are a byte of the mask. */
TINYCC_INLINE void tinycc_mask_gradient_byte(const float *gradient, uint32_t bits, const float *factors,
                                             float *output)
{
#if TINYCC_HAS_FPU
    static const float zeros[8] = {0.0f};
    /* Two bits at a time become the flags C and N. */
    __asm__ volatile(
        "rbit %[bits], %[bits]\n\t"
        "vldmia.f32 %[gradient], {s0, s1, s2, s3, s4, s5, s6, s7}\n\t"
        "vldmia.f32 %[factors], {s8, s9, s10, s11, s12, s13, s14, s15}\n\t"
        "vldmia.f32 %[zeros], {s16, s17, s18, s19, s20, s21, s22, s23}\n\t"
        "lsls %[bits], #1\n\t"
        "it cs\n\tvmulcs.f32 s16, s0, s8\n\t"
        "it mi\n\tvmulmi.f32 s17, s1, s9\n\t"
        "lsls %[bits], #2\n\t"
        "it cs\n\tvmulcs.f32 s18, s2, s10\n\t"
        "it mi\n\tvmulmi.f32 s19, s3, s11\n\t"
        "lsls %[bits], #2\n\t"
        "it cs\n\tvmulcs.f32 s20, s4, s12\n\t"
        "it mi\n\tvmulmi.f32 s21, s5, s13\n\t"
        "lsls %[bits], #2\n\t"
        "it cs\n\tvmulcs.f32 s22, s6, s14\n\t"
        "it mi\n\tvmulmi.f32 s23, s7, s15\n\t"
        "vstmia.f32 %[output], {s16, s17, s18, s19, s20, s21, s22, s23}\n\t"
        : [bits] "+r"(bits)
        : [gradient] "r"(gradient), [factors] "r"(factors), [zeros] "r"(zeros), [output] "r"(output)
        : "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14",
          "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "cc", "memory");
#else
    TINYCC_UNROLL
    for (int32_t k = 0; k < 8; ++k) {
        const float product = gradient[k] * factors[k];
        output[k] = (bits >> k & 1) != 0 ? product : 0.0f;
    }
#endif
}

/* Columns begin with a byte of the mask where there are several to a byte, or are whole bytes. */
TINYCC_INLINE void tinycc_mask_gradient_float32(const float *gradient, const uint8_t *mask, float *out_row,
                                                int32_t x0, int32_t x1,
                                                const tinycc_clamp_gradient_shape *shape,
                                                const tinycc_clamp_gradient_data *data)
{
    const int32_t channels = shape->channels, end = x1 * channels;
    int32_t i = x0 * channels;
    if (channels == 1) {
        float factors[8];
        TINYCC_UNROLL
        for (int32_t k = 0; k < 8; ++k) {
            factors[k] = data->factors[0];
        }
        for (; i + 8 <= end; i += 8) {
            tinycc_mask_gradient_byte(gradient + i, mask[i >> 3], factors, out_row + i);
        }
    } else if (channels % 8 == 0) {
        while (i < end) {
            for (int32_t c = 0; c < channels; c += 8) {
                tinycc_mask_gradient_byte(gradient + i, mask[i >> 3], data->factors + c, out_row + i);
                i += 8;
            }
        }
        return;
    }
    while (i < end) {
        for (int32_t c = 0; c < channels; ++c) {
            out_row[i] = (mask[i >> 3] >> (i & 7) & 1) != 0 ? gradient[i] * data->factors[c] : 0.0f;
            ++i;
        }
    }
}

#endif
