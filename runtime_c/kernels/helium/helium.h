/* What Helium (Armv8.1-M MVE) kernels share: four sums in the lanes of one vector, their requantization, and
 * stores. Without MVE the same functions in plain C, so that the kernels run on every core.
 *
 * Requantization of four sums is stored as eight integers: four words, each a bias times 256 plus, in its
 * lowest byte, the shift (0 or negative), then four multipliers. */
#ifndef TINYCC_HELIUM_H
#define TINYCC_HELIUM_H

#include "../shared/common.h"

/* Code that is not optimized has no registers to spare for the assembly. */
#if defined(__ARM_FEATURE_MVE) && defined(__GNUC__) && defined(__OPTIMIZE__)
#define TINYCC_MVE 1
#include <arm_mve.h>
#else
#define TINYCC_MVE 0
#endif

#define TINYCC_LANES 4

/* Integers for the requantization of four sums. */
#define TINYCC_LANE_CONSTANTS 8

/* What becomes of a requantized sum: plus the zero point, clamped. */
typedef struct {
    int8_t zero_point;
    int8_t min;
    int8_t max;
} tinycc_output_range;

/* The TINYCC_LANE_CONSTANTS of some vectors, where `stream` stands; it is moved to what follows. */
TINYCC_INLINE const int32_t *tinycc_next_constants(const int8_t **stream, int32_t vectors)
{
    const int32_t *const constants = (const int32_t *)(const void *)*stream;
    *stream = (const int8_t *)(constants + vectors * TINYCC_LANE_CONSTANTS);
    return constants;
}

/* The same where the range is all of an int8; a constant where it is known. */
TINYCC_INLINE tinycc_output_range tinycc_whole_range(const tinycc_output_range *range)
{
    const tinycc_output_range whole = {range->zero_point, INT8_MIN, INT8_MAX};
    return whole;
}

#if TINYCC_MVE

typedef int32x4_t tinycc_lanes;
typedef int16x8_t tinycc_eight;

/* Tail-predicated loops, which the compiler does not make. */
TINYCC_INLINE void tinycc_copy(int8_t *out, const int8_t *in, int32_t count)
{
    __asm__ volatile("wlstp.8 lr, %[count], 2f\n"
                     "1:\n\tvldrb.8 q0, [%[in]], #16\n\tvstrb.8 q0, [%[out]], #16\n\tletp lr, 1b\n"
                     "2:"
                     : [out] "+r"(out), [in] "+r"(in)
                     : [count] "r"(count)
                     : "lr", "q0", "memory");
}

TINYCC_INLINE void tinycc_fill(int8_t *out, int32_t value, int32_t count)
{
    __asm__ volatile("vdup.8 q0, %[value]\n\twlstp.8 lr, %[count], 2f\n"
                     "1:\n\tvstrb.8 q0, [%[out]], #16\n\tletp lr, 1b\n"
                     "2:"
                     : [out] "+r"(out)
                     : [value] "r"(value), [count] "r"(count)
                     : "lr", "q0", "memory");
}

/* out[k] = table[in[k]], in[k] taken as unsigned. */
TINYCC_INLINE void tinycc_gather(int8_t *out, const int8_t *in, const int8_t *table, int32_t count)
{
    __asm__ volatile("wlstp.8 lr, %[count], 2f\n"
                     "1:\n\tvldrb.8 q0, [%[in]], #16\n\tvldrb.u8 q1, [%[table], q0]\n\t"
                     "vstrb.8 q1, [%[out]], #16\n\tletp lr, 1b\n"
                     "2:"
                     : [out] "+r"(out), [in] "+r"(in)
                     : [table] "r"(table), [count] "r"(count)
                     : "lr", "q0", "q1", "memory");
}

TINYCC_INLINE tinycc_lanes tinycc_lane_biases(const int32_t *constants)
{
    return vshrq_n_s32(vldrwq_s32(constants), 8);
}

TINYCC_INLINE tinycc_lanes tinycc_add_lanes(tinycc_lanes a, tinycc_lanes b)
{
    return vaddq_s32(a, b);
}

/* Sums that have their bias, times multiplier and shift. `rectified`: the output's minimum is at the zero
 * point or above, so that it does not matter how halves of negative numbers are rounded. */
TINYCC_INLINE tinycc_lanes tinycc_rescale_lanes(tinycc_lanes sums, const int32_t *constants, int rectified)
{
    const int32x4_t words = vldrwq_s32(constants);
    sums = vqrdmulhq_s32(sums, vldrwq_s32(constants + TINYCC_LANES));
    if (!rectified) {
        /* The shift rounds halves up: one less first, where the number is negative. */
        sums = vaddq_s32(sums, vshrq_n_s32(sums, 31));
    }
    return vrshlq_s32(sums, words); /* looks at the lowest byte only */
}

/* The first `count` of four elements, and zeros. */
TINYCC_INLINE tinycc_lanes tinycc_load_lanes(const int8_t *in, int32_t count)
{
    return count >= TINYCC_LANES ? vldrbq_s32(in) : vldrbq_z_s32(in, vctp32q((uint32_t)count));
}

TINYCC_INLINE tinycc_lanes tinycc_equal_lanes(int32_t value)
{
    return vdupq_n_s32(value);
}

/* Lanes that were saved, or zeros: `sums` has as many words as there are lanes. */
TINYCC_INLINE tinycc_lanes tinycc_restore_lanes(const int32_t *sums, int is_first)
{
    return is_first ? vdupq_n_s32(0) : vldrwq_s32(sums);
}

TINYCC_INLINE void tinycc_save_lanes(int32_t *sums, tinycc_lanes values)
{
    vstrwq_s32(sums, values);
}

/* The four lanes, or the first `count`, one after the other. */
TINYCC_INLINE void tinycc_store_lanes(int8_t *out, tinycc_lanes values, int32_t count,
                                      const tinycc_output_range *range)
{
    values = vaddq_n_s32(values, range->zero_point);
    values = vmaxq_s32(values, vdupq_n_s32(range->min));
    values = vminq_s32(values, vdupq_n_s32(range->max));
    if (count >= TINYCC_LANES) {
        vstrbq_s32(out, values);
    } else {
        vstrbq_p_s32(out, values, vctp32q((uint32_t)count));
    }
}

/* Eight outputs, or the first `count` of them; one vector holds the even and one the odd ones. */
TINYCC_INLINE void tinycc_store_pairs(int8_t *out, tinycc_lanes even, tinycc_lanes odd, int32_t count,
                                      const tinycc_output_range *range)
{
    int16x8_t values;
    __asm__("vqmovnb.s32 %q0, %q1\n\tvqmovnt.s32 %q0, %q2" : "=&w"(values) : "w"(even), "w"(odd));
    values = vqaddq_n_s16(values, range->zero_point);
    if (range->min == INT8_MIN && range->max == INT8_MAX) {
        __asm__("vqmovnb.s16 %q0, %q0" : "+w"(values));
    } else {
        values = vmaxq_s16(values, vdupq_n_s16(range->min));
        values = vminq_s16(values, vdupq_n_s16(range->max));
    }
    if (count >= 2 * TINYCC_LANES) {
        vstrbq_s16(out, values);
    } else {
        vstrbq_p_s16(out, values, vctp16q((uint32_t)count));
    }
}

/* (in[k] * factor + offset) << 16 of eight elements, or the first `count`: the even ones, the odd ones.
 * in[k] * factor + offset fits 16 bits. */
TINYCC_INLINE void tinycc_load_pairs(tinycc_lanes *even, tinycc_lanes *odd, const int8_t *in, int32_t count,
                                     int32_t factor, int32_t offset)
{
    int16x8_t values =
        count >= 2 * TINYCC_LANES ? vldrbq_s16(in) : vldrbq_z_s16(in, vctp16q((uint32_t)count));
    values = vmlasq_n_s16(values, vdupq_n_s16((int16_t)factor), (int16_t)offset);
    *even = vshllbq_n_s16(values, 16);
    *odd = vshlltq_n_s16(values, 16);
}

/* Eight elements less their zero point, or the first `count`. */
TINYCC_INLINE tinycc_eight tinycc_load_eight(const int8_t *in, int32_t count, int32_t zero_point)
{
    const int16x8_t values =
        count >= 2 * TINYCC_LANES ? vldrbq_s16(in) : vldrbq_z_s16(in, vctp16q((uint32_t)count));
    return vsubq_n_s16(values, (int16_t)zero_point);
}

TINYCC_INLINE tinycc_eight tinycc_fill_eight(int32_t value)
{
    return vdupq_n_s16((int16_t)value);
}

/* The products of the even elements, and of the odd ones. */
TINYCC_INLINE void tinycc_multiply_pairs(tinycc_lanes *even, tinycc_lanes *odd, tinycc_eight a,
                                         tinycc_eight b)
{
    *even = vmullbq_int_s16(a, b);
    *odd = vmulltq_int_s16(a, b);
}

/* Times multiplier * 2**(shift - 31), shift at most 0; `rectified` as above, or a shift of 0. */
TINYCC_INLINE tinycc_lanes tinycc_scale_lanes(tinycc_lanes values, int32_t multiplier, int32_t shift,
                                              int rectified)
{
    values = vqrdmulhq_n_s32(values, multiplier);
    if (!rectified) {
        values = vaddq_s32(values, vshrq_n_s32(values, 31));
    }
    return vrshlq_n_s32(values, shift);
}

/* a + factor * b */
TINYCC_INLINE tinycc_lanes tinycc_add_product(tinycc_lanes a, tinycc_lanes b, int32_t factor)
{
    return vmlaq_n_s32(a, b, factor);
}

#else

typedef struct {
    int32_t lane[TINYCC_LANES];
} tinycc_lanes;

typedef struct {
    int16_t element[2 * TINYCC_LANES];
} tinycc_eight;

TINYCC_INLINE void tinycc_copy(int8_t *out, const int8_t *in, int32_t count)
{
    memcpy(out, in, (size_t)count);
}

TINYCC_INLINE void tinycc_fill(int8_t *out, int32_t value, int32_t count)
{
    memset(out, value, (size_t)count);
}

TINYCC_INLINE void tinycc_gather(int8_t *out, const int8_t *in, const int8_t *table, int32_t count)
{
    for (int32_t k = 0; k < count; ++k) {
        out[k] = table[(uint8_t)in[k]];
    }
}

TINYCC_INLINE tinycc_lanes tinycc_lane_biases(const int32_t *constants)
{
    tinycc_lanes biases;
    for (int32_t k = 0; k < TINYCC_LANES; ++k) {
        biases.lane[k] = (constants[k] - (constants[k] & 0xff)) / 256;
    }
    return biases;
}

TINYCC_INLINE tinycc_lanes tinycc_add_lanes(tinycc_lanes a, tinycc_lanes b)
{
    for (int32_t k = 0; k < TINYCC_LANES; ++k) {
        a.lane[k] += b.lane[k];
    }
    return a;
}

TINYCC_INLINE tinycc_lanes tinycc_rescale_lanes(tinycc_lanes sums, const int32_t *constants, int rectified)
{
    (void)rectified;
    for (int32_t k = 0; k < TINYCC_LANES; ++k) {
        const int32_t shift = constants[k] & 0xff;
        sums.lane[k] =
            tinycc_requantize(sums.lane[k], constants[TINYCC_LANES + k], shift == 0 ? 0 : shift - 256);
    }
    return sums;
}

TINYCC_INLINE tinycc_lanes tinycc_load_lanes(const int8_t *in, int32_t count)
{
    tinycc_lanes values = {{0, 0, 0, 0}};
    for (int32_t k = 0; k < TINYCC_LANES && k < count; ++k) {
        values.lane[k] = in[k];
    }
    return values;
}

TINYCC_INLINE tinycc_lanes tinycc_equal_lanes(int32_t value)
{
    const tinycc_lanes values = {{value, value, value, value}};
    return values;
}

TINYCC_INLINE tinycc_lanes tinycc_restore_lanes(const int32_t *sums, int is_first)
{
    tinycc_lanes values = {{0, 0, 0, 0}};
    if (!is_first) {
        memcpy(values.lane, sums, sizeof(values.lane));
    }
    return values;
}

TINYCC_INLINE void tinycc_save_lanes(int32_t *sums, tinycc_lanes values)
{
    memcpy(sums, values.lane, sizeof(values.lane));
}

TINYCC_INLINE void tinycc_store_lanes(int8_t *out, tinycc_lanes values, int32_t count,
                                      const tinycc_output_range *range)
{
    for (int32_t k = 0; k < TINYCC_LANES && k < count; ++k) {
        out[k] = (int8_t)tinycc_clamp(values.lane[k] + range->zero_point, range->min, range->max);
    }
}

TINYCC_INLINE void tinycc_store_pairs(int8_t *out, tinycc_lanes even, tinycc_lanes odd, int32_t count,
                                      const tinycc_output_range *range)
{
    for (int32_t k = 0; k < 2 * TINYCC_LANES && k < count; ++k) {
        const int32_t value = k % 2 == 0 ? even.lane[k / 2] : odd.lane[k / 2];
        out[k] = (int8_t)tinycc_clamp(value + range->zero_point, range->min, range->max);
    }
}

TINYCC_INLINE void tinycc_load_pairs(tinycc_lanes *even, tinycc_lanes *odd, const int8_t *in, int32_t count,
                                     int32_t factor, int32_t offset)
{
    for (int32_t k = 0; k < 2 * TINYCC_LANES; ++k) {
        const int32_t value = ((k < count ? in[k] : 0) * factor + offset) * 65536;
        (k % 2 == 0 ? even : odd)->lane[k / 2] = value;
    }
}

TINYCC_INLINE tinycc_eight tinycc_load_eight(const int8_t *in, int32_t count, int32_t zero_point)
{
    tinycc_eight values;
    for (int32_t k = 0; k < 2 * TINYCC_LANES; ++k) {
        values.element[k] = (int16_t)((k < count ? in[k] : 0) - zero_point);
    }
    return values;
}

TINYCC_INLINE tinycc_eight tinycc_fill_eight(int32_t value)
{
    tinycc_eight values;
    for (int32_t k = 0; k < 2 * TINYCC_LANES; ++k) {
        values.element[k] = (int16_t)value;
    }
    return values;
}

TINYCC_INLINE void tinycc_multiply_pairs(tinycc_lanes *even, tinycc_lanes *odd, tinycc_eight a,
                                         tinycc_eight b)
{
    for (int32_t k = 0; k < TINYCC_LANES; ++k) {
        even->lane[k] = a.element[2 * k] * b.element[2 * k];
        odd->lane[k] = a.element[2 * k + 1] * b.element[2 * k + 1];
    }
}

TINYCC_INLINE tinycc_lanes tinycc_scale_lanes(tinycc_lanes values, int32_t multiplier, int32_t shift,
                                              int rectified)
{
    (void)rectified;
    for (int32_t k = 0; k < TINYCC_LANES; ++k) {
        values.lane[k] = tinycc_requantize(values.lane[k], multiplier, shift);
    }
    return values;
}

TINYCC_INLINE tinycc_lanes tinycc_add_product(tinycc_lanes a, tinycc_lanes b, int32_t factor)
{
    for (int32_t k = 0; k < TINYCC_LANES; ++k) {
        a.lane[k] += factor * b.lane[k];
    }
    return a;
}

#endif

TINYCC_INLINE tinycc_lanes tinycc_requantize_lanes(tinycc_lanes sums, const int32_t *constants, int rectified)
{
    return tinycc_rescale_lanes(tinycc_add_lanes(sums, tinycc_lane_biases(constants)), constants, rectified);
}

#endif
