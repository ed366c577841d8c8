/* As requantize_lines.h for Helium: eight elements at a time.
 *
 * Aliasing: elements in ascending order, each read before it is written. */
#ifndef TINYCC_REQUANTIZE_LINES_HELIUM_H
#define TINYCC_REQUANTIZE_LINES_HELIUM_H

#include "../portable/requantize_lines.h"
#include "helium.h"

typedef tinycc_requantize_lines_shape tinycc_requantize_lines_helium_shape;
typedef tinycc_requantize_lines_data tinycc_requantize_lines_helium_data;

#if TINYCC_MVE

/* Four elements as 32 bits, which still have their fraction. */
TINYCC_INLINE int32x4_t tinycc_on_lines(int32x4_t values, int32x4_t offsets,
                                        const tinycc_requantize_lines_data *lines, int is_one_line)
{
    const int32x4_t results = vmlaq_n_s32(offsets, values, lines->factor);
    if (is_one_line) {
        return results;
    }
    return vaddq_m_n_s32(results, results, lines->step, vcmpltq_n_s32(values, lines->zero_point));
}

/* Eight elements as outputs, each in the low byte of 16 bits. `offsets` are a half less than the data's.
 *
 * The fraction goes in two steps: 16 bits are cut off, the others rounded. VQSHRNB would cut them off, too,
 * but GNU's assembler 2.40 encodes it as VQRSHRNB. */
TINYCC_INLINE int16x8_t tinycc_eight_on_lines(int16x8_t values, int32x4_t offsets,
                                              const tinycc_requantize_lines_data *lines, int is_one_line)
{
    const int32x4_t even = tinycc_on_lines(vmovlbq_s16(values), offsets, lines, is_one_line);
    const int32x4_t odd = tinycc_on_lines(vmovltq_s16(values), offsets, lines, is_one_line);
    int16x8_t results = vshrnbq_n_s32(vdupq_n_s16(0), even, 16);
    results = vshrntq_n_s32(results, odd, 16);
    __asm__("vqrshrnb.s16 %q0, %q0, %1" : "+w"(results) : "i"(TINYCC_LINES_BITS - 16));
    return results;
}

TINYCC_INLINE void tinycc_requantize_lines_helium_int8(const int8_t *row, int8_t *out_row, int32_t x0,
                                                       int32_t x1, const tinycc_requantize_lines_shape *shape,
                                                       const tinycc_requantize_lines_data *data)
{
    const tinycc_requantize_lines_data lines = *data;
    const int32x4_t offsets = vdupq_n_s32(lines.offset - (1 << (TINYCC_LINES_BITS - 1)));
    const int32_t end = x1 * shape->channels;
    int32_t i = x0 * shape->channels;
    for (; i <= end - 2 * TINYCC_LANES; i += 2 * TINYCC_LANES) {
        vstrbq_s16(out_row + i,
                   tinycc_eight_on_lines(vldrbq_s16(row + i), offsets, &lines, shape->is_one_line));
    }
    if (i < end) {
        const mve_pred16_t inside = vctp16q((uint32_t)(end - i));
        const int16x8_t values = vldrbq_z_s16(row + i, inside);
        vstrbq_p_s16(out_row + i, tinycc_eight_on_lines(values, offsets, &lines, shape->is_one_line), inside);
    }
}

#else

TINYCC_INLINE void tinycc_requantize_lines_helium_int8(const int8_t *row, int8_t *out_row, int32_t x0,
                                                       int32_t x1, const tinycc_requantize_lines_shape *shape,
                                                       const tinycc_requantize_lines_data *data)
{
    tinycc_requantize_lines_int8(row, out_row, x0, x1, shape, data);
}

#endif

#endif
