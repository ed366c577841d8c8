/* A sliding window backwards: which of its outputs have a pixel of the input under them.
 *
 * Output row oy has input row oy * stride - pad_top + j * dilation under kernel row j. The rows handed to a
 * kernel begin with the first one, oy ascending, that has row y under it; NULL stands for those that are
 * none. */
#ifndef TINYCC_SPREAD_WINDOW_H
#define TINYCC_SPREAD_WINDOW_H

#include "common.h"

/* Before a loop of which nothing may be left, as it indexes what is to lie in registers: unroll it. A hint.
 */
#if defined(__clang__)
#define TINYCC_UNROLL_WHOLLY _Pragma("clang loop unroll_count(32)")
#elif defined(__GNUC__)
#define TINYCC_UNROLL_WHOLLY _Pragma("GCC unroll 32")
#else
#define TINYCC_UNROLL_WHOLLY
#endif

typedef struct {
    int32_t gradient_height; /* of the window's outputs */
    int32_t gradient_width;
    int32_t gradient_channels;
    int32_t output_height; /* of its input, whose gradient is computed */
    int32_t output_width;
    int32_t output_channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_height;
    int32_t stride_width;
    int32_t dilation_height;
    int32_t dilation_width;
    int32_t pad_top;
    int32_t pad_left;
    int32_t groups;
} tinycc_spread_shape;

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_spread_data;

typedef struct {
    int32_t begin;
    int32_t end;
} tinycc_range;

/* The places in [0, count) for which place * stride + first lies in [0, size). */
TINYCC_INLINE tinycc_range tinycc_spread_range(int32_t first, int32_t stride, int32_t count, int32_t size)
{
    const int32_t past = size - first;
    tinycc_range range = {first < 0 ? (stride - 1 - first) / stride : 0, 0};
    range.end = past <= 0 ? 0 : tinycc_min(count, (past + stride - 1) / stride);
    return range;
}

/* The row of the gradient that has row y of the input under kernel row j; NULL if there is none. */
#define TINYCC_DEFINE_SPREAD_ROW(name, type)                                                                 \
    TINYCC_INLINE const type *name(const type *const *rows, int32_t y, int32_t j,                            \
                                   const tinycc_spread_shape *shape)                                         \
    {                                                                                                        \
        const int32_t stride = shape->stride_height;                                                         \
        const int32_t place = y + shape->pad_top - j * shape->dilation_height;                               \
        const int32_t last = y + shape->pad_top - (shape->kernel_height - 1) * shape->dilation_height;       \
        const int32_t first = last > 0 ? (last + stride - 1) / stride : last / stride;                       \
        return place % stride == 0 ? rows[place / stride - first] : NULL;                                    \
    }

TINYCC_DEFINE_SPREAD_ROW(tinycc_spread_row, float)
TINYCC_DEFINE_SPREAD_ROW(tinycc_spread_row_int16, int16_t)

#undef TINYCC_DEFINE_SPREAD_ROW

/* The column of the gradient that has column x of the input under kernel column k; -1 if there is none. */
TINYCC_INLINE int32_t tinycc_spread_column(int32_t x, int32_t k, const tinycc_spread_shape *shape)
{
    const int32_t place = x + shape->pad_left - k * shape->dilation_width;
    const int is_one =
        place >= 0 && place % shape->stride_width == 0 && place / shape->stride_width < shape->gradient_width;
    return is_one ? place / shape->stride_width : -1;
}

#endif
