/* What all kernels share: inlining, row pointers and the fixed-point arithmetic of TFLite's int8
 * specification (gemmlowp's rounding, as in TFLM's reference kernels). */
#ifndef TINYCC_COMMON_H
#define TINYCC_COMMON_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Kernels take their geometry as a pointer to a constant; only inlined does the compiler see it. */
#if defined(__GNUC__)
#define TINYCC_INLINE static inline __attribute__((always_inline, unused))
#else
#define TINYCC_INLINE static inline
#endif

/* Functions that operators share, and those whose memory on the stack must not add up. */
#if defined(__GNUC__)
#define TINYCC_NOINLINE __attribute__((noinline, unused))
#else
#define TINYCC_NOINLINE
#endif

/* One copy for all operators of a model: geometry as arguments. */
#define TINYCC_SHARED static TINYCC_NOINLINE

/* Whether the compiler knows the value of an expression. */
#if defined(__GNUC__)
#define TINYCC_IS_CONSTANT(expression) __builtin_constant_p(expression)
#else
#define TINYCC_IS_CONSTANT(expression) 0
#endif

/* Between operators. Bytes of the arena hold elements of one type, then of another; no access may be
 * moved to where they still, or already, hold the other. */
#if defined(__GNUC__)
#define TINYCC_BARRIER() __asm__ volatile("" : : : "memory")
#else
#define TINYCC_BARRIER() ((void)0)
#endif

/* Nothing derived from a variable before is kept for after: addresses do not stay on the stack over calls
 * where computing them anew is as cheap. */
#if defined(__GNUC__)
#define TINYCC_FORGET(variable) __asm__ volatile("" : "+r"(variable))
#else
#define TINYCC_FORGET(variable) ((void)0)
#endif

/* Before an inner loop: unroll it. A hint; loops of few, constant trips disappear. */
#if defined(__clang__)
#define TINYCC_UNROLL _Pragma("clang loop unroll_count(8)")
#elif defined(__GNUC__)
#define TINYCC_UNROLL _Pragma("GCC unroll 8")
#else
#define TINYCC_UNROLL
#endif

/* The same for loops of many trips and some code. */
#if defined(__clang__)
#define TINYCC_UNROLL_TWICE _Pragma("clang loop unroll_count(2)")
#elif defined(__GNUC__)
#define TINYCC_UNROLL_TWICE _Pragma("GCC unroll 2")
#else
#define TINYCC_UNROLL_TWICE
#endif

/* rows[j] = row y + j * dilation of a tensor of `height` rows, NULL outside. In memory there are `ring` rows,
 * used over and over again: row y lies where row y - ring lay. */
#define TINYCC_DEFINE_ROWS(element, type)                                                                    \
    TINYCC_INLINE void tinycc_rows_##element(const type **rows, const type *tensor, int32_t y,               \
                                             int32_t dilation, int32_t count, int32_t height,                \
                                             int32_t row_elements, int32_t ring)                             \
    {                                                                                                        \
        for (int32_t j = 0; j < count; ++j) {                                                                \
            const int32_t row = y + j * dilation;                                                            \
            const int32_t place = ring < height ? row % ring : row;                                          \
            rows[j] = (row >= 0 && row < height) ? tensor + place * row_elements : NULL;                     \
        }                                                                                                    \
    }

TINYCC_DEFINE_ROWS(int8, int8_t)
TINYCC_DEFINE_ROWS(int16, int16_t)
TINYCC_DEFINE_ROWS(float32, float)

#undef TINYCC_DEFINE_ROWS

TINYCC_INLINE int32_t tinycc_min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* How many rows, from the first on, of a tensor of `height` rows the rows y + j * dilation ask for, j less
 * than `count`; 0 or less where none is one of the tensor's. */
TINYCC_INLINE int32_t tinycc_rows_asked(int32_t y, int32_t dilation, int32_t count, int32_t height)
{
    return y < height ? y + tinycc_min(count - 1, (height - 1 - y) / dilation) * dilation + 1 : 0;
}

TINYCC_INLINE int32_t tinycc_clamp(int32_t value, int32_t low, int32_t high)
{
    return value < low ? low : (value > high ? high : value);
}

/* (a * b) / 2**31, rounded to nearest with halves up; saturated for a = b = INT32_MIN. */
#if defined(__ARM_ARCH_ISA_THUMB) && __ARM_ARCH_ISA_THUMB == 1
/* There is no long product: of halves, the lowest 16 bits being of no account. */
TINYCC_SHARED int32_t tinycc_multiply_high(int32_t a, int32_t b)
{
    const int32_t a_high = a >> 16, b_high = b >> 16;
    const uint32_t a_low = (uint16_t)a, b_low = (uint16_t)b;
    const int32_t left = (int32_t)((uint32_t)a_high * b_low);
    const int32_t right = (int32_t)((uint32_t)b_high * a_low);
    const uint32_t rest = (a_low * b_low >> 16) + (left & 0x7FFF) + (right & 0x7FFF) + 0x4000;
    const uint32_t whole = 2 * (uint32_t)(a_high * b_high) + (uint32_t)(left >> 15) + (uint32_t)(right >> 15);
    return (a == INT32_MIN && b == INT32_MIN) ? INT32_MAX : (int32_t)(whole + (rest >> 15));
}
#else
TINYCC_INLINE int32_t tinycc_multiply_high(int32_t a, int32_t b)
{
    if (a == INT32_MIN && b == INT32_MIN) {
        return INT32_MAX;
    }
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}
#endif

/* value / 2**exponent, rounded to nearest with halves away from zero; exponent in [0, 31]. */
TINYCC_INLINE int32_t tinycc_divide_by_power(int32_t value, int32_t exponent)
{
    const int32_t mask = (int32_t)(((uint32_t)1 << exponent) - 1);
    const int32_t remainder = value & mask;
    const int32_t threshold = (mask >> 1) + (value < 0 ? 1 : 0);
    return (value >> exponent) + (remainder > threshold ? 1 : 0);
}

/* value * multiplier * 2**(shift - 31), rounded twice. */
TINYCC_INLINE int32_t tinycc_requantize(int32_t value, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? shift : 0;
    const int32_t right = shift > 0 ? 0 : -shift;
    const int32_t shifted = (int32_t)((uint32_t)value << left);
    return tinycc_divide_by_power(tinycc_multiply_high(shifted, multiplier), right);
}

#endif
