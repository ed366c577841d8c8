/* Primitives of the kernels for the DSP extension (Armv7E-M, Armv8-M): instructions where the core has them,
 * the same arithmetic in C elsewhere.
 *
 * Sums of products. Four int8 inputs (x0 x1 x2 x3) are widened to two words of two int16 each,
 *
 *     even = (x0, x2)      odd = (256 x1 - x0 + 127, 256 x3 - x2 + 127)
 *
 * which is one instruction for each: `odd` is the word of the four bytes with two of them inverted up to
 * their signs. Four weights in [-127, 127] are stored as the two int16 (256 w0 + w1, 256 w2 + w3). Then
 *
 *     even . stored + odd . (w1, w3) = 256 (x0 w0 + x1 w1 + x2 w2 + x3 w3) + 127 (w1 + w3)
 *
 * so that weights are used as they lie in flash, and just half of them must be sign-extended. The constant
 * term is part of the bias. Sums wrap in 32 bits. Wide weights need not even that: (w1, w3) are stored, too.
 * Narrow weights have four bits, 8 added to them so that none is negative, and eight of them are a word: four
 * in the lower halves of its bytes, the next four in the upper ones. Masked, either half is a word as above
 * whose weights are 8 more, so that all outputs get the same excess: 8 times the sum of the inputs.
 *
 * Requantization. A finished sum is 256 * value + exponent: shifts by a register look at its low byte only.
 * The multiplier is stored as 2 * multiplier - 2**32, which makes the rounding doubling high product one
 * instruction.
 *
 * Words of int8 are little-endian, and read from any address. */
#ifndef TINYCC_DSP_H
#define TINYCC_DSP_H

#include "../shared/common.h"

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP && defined(__GNUC__)
#define TINYCC_HAS_DSP 1
#else
#define TINYCC_HAS_DSP 0
#endif

/* Turns a word of inputs into `odd`. */
#define TINYCC_DSP_ODD UINT32_C(0x007F007F)

TINYCC_INLINE uint32_t tinycc_dsp_load(const void *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

/* The word of the first `count` of four bytes, the others 0. */
TINYCC_INLINE uint32_t tinycc_dsp_load_part(const int8_t *bytes, int32_t count)
{
    uint32_t word = 0;
    if (count >= 4) {
        return tinycc_dsp_load(bytes);
    }
    for (int32_t i = 0; i < count; ++i) {
        word |= (uint32_t)(uint8_t)bytes[i] << 8 * i;
    }
    return word;
}

/* The element at `*place`, which moves on by a constant number of elements. */
TINYCC_INLINE int32_t tinycc_dsp_next(const int8_t **place, int32_t step)
{
#if TINYCC_HAS_DSP && defined(__OPTIMIZE__)
    if (__builtin_constant_p(step) && step < 256) {
        int32_t value;
        __asm__ volatile("ldrsb %0, [%1], %2" : "=r"(value), "+&r"(*place) : "i"(step));
        return value;
    }
#endif
    const int32_t value = **place;
    *place += step;
    return value;
}

/* (first, second) as int16. */
TINYCC_INLINE uint32_t tinycc_dsp_pack(int32_t first, int32_t second)
{
#if TINYCC_HAS_DSP
    uint32_t pair;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(first), "r"(second));
    return pair;
#else
    return ((uint32_t)first & 0xFFFFU) | (uint32_t)second << 16;
#endif
}

/* The upper int16 of both words. */
TINYCC_INLINE uint32_t tinycc_dsp_pack_upper(uint32_t first, uint32_t second)
{
#if TINYCC_HAS_DSP
    uint32_t pair;
    __asm__("pkhtb %0, %2, %1, asr #16" : "=r"(pair) : "r"(first), "r"(second));
    return pair;
#else
    return first >> 16 | (second & 0xFFFF0000U);
#endif
}

/* The differences of both int16. */
TINYCC_INLINE uint32_t tinycc_dsp_subtract(uint32_t a, uint32_t b)
{
#if TINYCC_HAS_DSP
    uint32_t pair;
    __asm__("ssub16 %0, %1, %2" : "=r"(pair) : "r"(a), "r"(b));
    return pair;
#else
    return ((a - b) & 0xFFFFU) | ((a & 0xFFFF0000U) - (b & 0xFFFF0000U));
#endif
}

/* Bytes 0 and 2 of a word, sign-extended to int16. */
TINYCC_INLINE uint32_t tinycc_dsp_even(uint32_t word)
{
#if TINYCC_HAS_DSP
    uint32_t pair;
    __asm__("sxtb16 %0, %1" : "=r"(pair) : "r"(word));
    return pair;
#else
    return tinycc_dsp_pack((int8_t)(word & 0xFFU), (int8_t)(word >> 16 & 0xFFU));
#endif
}

/* Bytes 1 and 3 of a word, sign-extended to int16. */
TINYCC_INLINE uint32_t tinycc_dsp_odd(uint32_t word)
{
#if TINYCC_HAS_DSP
    uint32_t pair;
    __asm__("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
#else
    return tinycc_dsp_even(word >> 8);
#endif
}

/* How weights are stored: see above. */
typedef enum { TINYCC_DSP_BYTES = 0, TINYCC_DSP_WIDE = 1, TINYCC_DSP_NARROW = 2 } tinycc_dsp_storage;

/* That of a kernel's shape. */
#define TINYCC_DSP_STORAGE(shape)                                                                            \
    ((shape)->is_narrow ? TINYCC_DSP_NARROW : (shape)->is_wide ? TINYCC_DSP_WIDE : TINYCC_DSP_BYTES)

#define TINYCC_DSP_NARROW_MASK UINT32_C(0x0F0F0F0F)
#define TINYCC_DSP_NARROW_PAIR UINT32_C(0x000F000F)
/* What is added to narrow weights, to four of them, and to (w1, w3). */
#define TINYCC_DSP_NARROW_OFFSET 8
#define TINYCC_DSP_NARROW_OFFSETS (TINYCC_DSP_NARROW_OFFSET * UINT32_C(0x01010101))
#define TINYCC_DSP_NARROW_ODD_OFFSETS (TINYCC_DSP_NARROW_OFFSET * UINT32_C(0x00010001))

/* The four weights stored at `weights`; of narrow ones those for word number `word` of the inputs. */
TINYCC_INLINE uint32_t tinycc_dsp_weights(const int32_t *weights, int32_t word, tinycc_dsp_storage storage)
{
    return storage == TINYCC_DSP_NARROW ? (uint32_t)weights[0] >> 4 * (word & 1) & TINYCC_DSP_NARROW_MASK
                                        : (uint32_t)weights[0];
}

/* (w1, w3) of the same; wide ones have them `block` words on. */
TINYCC_INLINE uint32_t tinycc_dsp_odd_weights(const int32_t *weights, int32_t block, int32_t word,
                                              tinycc_dsp_storage storage)
{
    return storage == TINYCC_DSP_WIDE ? (uint32_t)weights[block]
                                      : tinycc_dsp_even(tinycc_dsp_weights(weights, word, storage));
}

/* How many words on those for the next word of inputs are, `block` outputs at a time. */
TINYCC_INLINE int32_t tinycc_dsp_weights_step(int32_t block, int32_t word, tinycc_dsp_storage storage)
{
    return storage == TINYCC_DSP_NARROW ? (word & 1) * block : storage == TINYCC_DSP_WIDE ? 2 * block : block;
}

/* Words of `inputs` inputs: of narrow weights whole pairs of them. */
TINYCC_INLINE int32_t tinycc_dsp_words(int32_t inputs, tinycc_dsp_storage storage)
{
    return storage == TINYCC_DSP_NARROW ? (inputs + 7) / 8 * 2 : (inputs + 3) / 4;
}

/* a - b, which wraps like all sums. */
TINYCC_INLINE int32_t tinycc_dsp_less(int32_t a, int32_t b)
{
    return (int32_t)((uint32_t)a - (uint32_t)b);
}

/* sum + the products of both int16. */
TINYCC_INLINE int32_t tinycc_dsp_mac(uint32_t a, uint32_t b, int32_t sum)
{
#if TINYCC_HAS_DSP
    int32_t result;
    __asm__("smlad %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
#else
    const int32_t low = (int16_t)(a & 0xFFFFU) * (int16_t)(b & 0xFFFFU);
    const int32_t high = (int16_t)(a >> 16) * (int16_t)(b >> 16);
    return (int32_t)((uint32_t)sum + (uint32_t)low + (uint32_t)high);
#endif
}

/* a * b / 2**32, rounded to nearest with halves up. */
TINYCC_INLINE int32_t tinycc_dsp_high_product(int32_t a, int32_t b)
{
#if TINYCC_HAS_DSP
    int32_t result;
    __asm__("smmulr %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
#else
    return (int32_t)(((int64_t)a * b + (INT64_C(1) << 31)) >> 32);
#endif
}

/* sum + the four bytes of a word, which are not negative. */
TINYCC_INLINE uint32_t tinycc_dsp_add_bytes(uint32_t sum, uint32_t word)
{
#if TINYCC_HAS_DSP
    uint32_t result;
    __asm__("usada8 %0, %1, %2, %3" : "=r"(result) : "r"(word), "r"(0), "r"(sum));
    return result;
#else
    return sum + (word & 0xFFU) + (word >> 8 & 0xFFU) + (word >> 16 & 0xFFU) + (word >> 24);
#endif
}

/* zero_point + value * m * 2**-(31 + exponent), rounded twice as by tinycc_requantize; exponent in [0, 31],
 * or 32 for the zero point alone.
 *
 * multiplier: 2 * m - 2**32, m in [2**30, 2**31).
 * is_rectified: results below zero_point do not matter as long as they stay below; exponent is not 0. */
TINYCC_INLINE int32_t tinycc_dsp_rescale(int32_t value, int32_t multiplier, int32_t exponent,
                                         int32_t zero_point, int is_rectified)
{
#if TINYCC_HAS_DSP
    int32_t result;
    if (is_rectified) {
        __asm__("smmlar %0, %1, %2, %1\n\t"
                "asrs %0, %0, %3\n\t"
                "adc %0, %0, %4"
                : "=&r"(result)
                : "r"(value), "r"(multiplier), "r"(exponent), "r"(zero_point)
                : "cc");
    } else {
        /* The carry is what adds says where nothing is shifted out: it takes the 1 back. */
        __asm__("smmlar %0, %1, %2, %1\n\t"
                "adds %0, %0, %0, asr #31\n\t"
                "asrs %0, %0, %3\n\t"
                "adc %0, %0, %4"
                : "=&r"(result)
                : "r"(value), "r"(multiplier), "r"(exponent), "r"(zero_point)
                : "cc");
    }
    return result;
#else
    const int64_t product = value * (multiplier + (INT64_C(1) << 32)) + (INT64_C(1) << 31);
    (void)is_rectified;
    exponent &= 0xFF;
    return (exponent > 31 ? 0 : tinycc_divide_by_power((int32_t)(product >> 32), exponent)) + zero_point;
#endif
}

/* The same for any m in [0, 2**31). multiplier: 2 * m modulo 2**32. */
TINYCC_INLINE int32_t tinycc_dsp_scale(int32_t value, int32_t multiplier, int32_t exponent,
                                       int32_t zero_point)
{
#if TINYCC_HAS_DSP
    const int32_t addend = multiplier < 0 ? value : 0;
    int32_t result;
    __asm__("smmlar %0, %1, %2, %5\n\t"
            "adds %0, %0, %0, asr #31\n\t"
            "asrs %0, %0, %3\n\t"
            "adc %0, %0, %4"
            : "=&r"(result)
            : "r"(value), "r"(multiplier), "r"(exponent), "r"(zero_point), "r"(addend)
            : "cc");
    return result;
#else
    const int64_t product = (int64_t)value * (int64_t)(uint32_t)multiplier + (INT64_C(1) << 31);
    return tinycc_divide_by_power((int32_t)(product >> 32), exponent & 0xFF) + zero_point;
#endif
}

/* The clamp of int8. */
TINYCC_INLINE int32_t tinycc_dsp_saturate(int32_t value)
{
#if TINYCC_HAS_DSP
    int32_t result;
    __asm__("ssat %0, #8, %1" : "=r"(result) : "r"(value));
    return result;
#else
    return tinycc_clamp(value, INT8_MIN, INT8_MAX);
#endif
}

/* The clamp of int16. */
TINYCC_INLINE int32_t tinycc_dsp_saturate16(int32_t value)
{
#if TINYCC_HAS_DSP
    int32_t result;
    __asm__("ssat %0, #16, %1" : "=r"(result) : "r"(value));
    return result;
#else
    return tinycc_clamp(value, INT16_MIN, INT16_MAX);
#endif
}

/* For inline assembly: `step` as often as the register %[n] says, four at a time. */
#define TINYCC_DSP_LOOP(step)                                                                                \
    "subs %[n], #4\n\t"                                                                                      \
    "blt 2f\n\t"                                                                                             \
    "1:\n\t" step step step step "subs %[n], #4\n\t"                                                         \
    "bge 1b\n\t"                                                                                             \
    "2:\n\t"                                                                                                 \
    "adds %[n], #4\n\t"                                                                                      \
    "beq 4f\n\t"                                                                                             \
    "3:\n\t" step "subs %[n], #1\n\t"                                                                        \
    "bne 3b\n\t"                                                                                             \
    "4:\n\t"

/* How sums become outputs; see `dsp.py`. */
typedef enum {
    TINYCC_DSP_RECTIFIED = 0, /* clamped to int8, and to no less than the zero point */
    TINYCC_DSP_FULL = 1,      /* clamped to int8 */
    TINYCC_DSP_CLAMPED = 2,   /* clamped to what the data says */
    TINYCC_DSP_LARGE = 3      /* to int8, of sums that need 32 bits, as their bias does, which is apart */
} tinycc_dsp_mode;

/* Calls <function>_rectified, <function>_full or <function>_clamped. */
#define TINYCC_DSP_IN_MODE(mode, function, ...)                                                              \
    do {                                                                                                     \
        if ((mode) == TINYCC_DSP_RECTIFIED) {                                                                \
            function##_rectified(__VA_ARGS__);                                                               \
        } else if ((mode) == TINYCC_DSP_FULL) {                                                              \
            function##_full(__VA_ARGS__);                                                                    \
        } else {                                                                                             \
            function##_clamped(__VA_ARGS__);                                                                 \
        }                                                                                                    \
    } while (0)

/* A result as an output; low, high: where it is clamped to less than int8. */
TINYCC_INLINE int8_t tinycc_dsp_clamp(int32_t result, int32_t low, int32_t high, int is_clamped)
{
    return (int8_t)(is_clamped ? tinycc_clamp(result, low, high) : tinycc_dsp_saturate(result));
}

/* The value of a sum of products that stands 8 bits up; bias: where it is apart. Wraps. */
TINYCC_INLINE int32_t tinycc_dsp_value(int32_t sum, int32_t bias, tinycc_dsp_mode mode)
{
    return mode == TINYCC_DSP_LARGE ? (int32_t)((uint32_t)(sum >> 8) + (uint32_t)bias) : sum >> 8;
}

typedef struct {
    const int32_t *matrix; /* weights and requantization of all outputs */
    int8_t input_zero_point;
    int8_t output_zero_point;
    int8_t output_min;
    int8_t output_max;
} tinycc_dsp_data;

/* The output of a value with its exponent. */
TINYCC_INLINE int8_t tinycc_dsp_output(int32_t value, int32_t multiplier, int32_t exponent,
                                       const tinycc_dsp_data *data, tinycc_dsp_mode mode)
{
    const int32_t result = tinycc_dsp_rescale(value, multiplier, exponent, data->output_zero_point,
                                              mode == TINYCC_DSP_RECTIFIED);
    return tinycc_dsp_clamp(result, data->output_min, data->output_max, mode == TINYCC_DSP_CLAMPED);
}

#endif
