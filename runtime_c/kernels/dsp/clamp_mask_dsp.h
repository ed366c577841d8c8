/* As clamp_mask.h, with the DSP extension: four elements at a time. There is an integer between low and high.
 *
 * Aliasing: as in clamp_mask.h. */
#ifndef TINYCC_CLAMP_MASK_DSP_H
#define TINYCC_CLAMP_MASK_DSP_H

#include "../portable/clamp_mask.h"
#include "dsp.h"

typedef tinycc_clamp_mask_shape tinycc_clamp_mask_dsp_shape;
typedef tinycc_clamp_mask_data tinycc_clamp_mask_dsp_data;

/* The bytes of `bits` for which first <= element <= last, others 0, byte by byte. */
TINYCC_INLINE uint32_t tinycc_clamp_mask_dsp_select(uint32_t elements, uint32_t first, uint32_t last,
                                                    uint32_t bits)
{
#if TINYCC_HAS_DSP
    uint32_t selected, difference;
    __asm__("ssub8 %1, %2, %3\n\t"
            "sel %0, %5, %6\n\t"
            "ssub8 %1, %4, %2\n\t"
            "sel %0, %0, %6"
            : "=&r"(selected), "=&r"(difference)
            : "r"(elements), "r"(first), "r"(last), "r"(bits), "r"(0)
            : "cc");
    return selected;
#else
    uint32_t selected = 0;
    for (int32_t shift = 0; shift < 32; shift += 8) {
        const int8_t value = (int8_t)(elements >> shift & 0xFF);
        if (value >= (int8_t)(first >> shift & 0xFF) && value <= (int8_t)(last >> shift & 0xFF)) {
            selected |= bits & UINT32_C(0xFF) << shift;
        }
    }
    return selected;
#endif
}

/* [x0, x1): whole bytes of the output, but for the last that there is. */
TINYCC_INLINE void tinycc_clamp_mask_dsp_int8(const int8_t *row, uint8_t *out_row, int32_t x0, int32_t x1,
                                              const tinycc_clamp_mask_dsp_shape *shape,
                                              const tinycc_clamp_mask_dsp_data *data)
{
    const uint32_t first = (uint32_t)(uint8_t)(data->low + 1) * UINT32_C(0x01010101);
    const uint32_t last = (uint32_t)(uint8_t)(data->high - 1) * UINT32_C(0x01010101);
    const int32_t whole = tinycc_min(x1, shape->elements / 8);
    for (int32_t x = x0; x < whole; ++x) {
        const uint32_t low =
            tinycc_clamp_mask_dsp_select(tinycc_dsp_load(row + 8 * x), first, last, UINT32_C(0x08040201));
        const uint32_t high =
            tinycc_clamp_mask_dsp_select(tinycc_dsp_load(row + 8 * x + 4), first, last, UINT32_C(0x80402010));
        out_row[x] = (uint8_t)tinycc_dsp_add_bytes(tinycc_dsp_add_bytes(0, low), high);
    }
    if (whole < x1) {
        tinycc_clamp_mask_int8(row, out_row, whole, x1, shape, data);
    }
}

#endif
