/* The kernel of reduce.h for an extension of the core, where what is kept or what is reduced lies one element
 * after the other. */
#ifndef TINYCC_REDUCE_CHANNELS_H
#define TINYCC_REDUCE_CHANNELS_H

#include "../portable/reduce.h"
#include "channel_sums.h"

/* tinycc_reduce_<extension>_int8, `width` channels or some elements of a sum at a time:
 *   tinycc_<extension>_totals_none(), tinycc_<extension>_totals_add(totals, sums): 32 bits wide;
 *   tinycc_<extension>_sum_elements(in, count): the sum of elements that lie one after the other;
 *   tinycc_reduce_<extension>_store(output, &totals, count, is_clamped, data): of `count` channels;
 *   tinycc_reduce_<extension>_result(sum, is_clamped, data): of one sum. */
#define TINYCC_DEFINE_CHANNEL_REDUCE(extension, width)                                                       \
    TINYCC_INLINE void tinycc_reduce_##extension##_channels(const int8_t *in, int8_t *output, int32_t count, \
                                                            const tinycc_reduce_shape *shape,                \
                                                            const tinycc_reduce_##extension##_data *data)    \
    {                                                                                                        \
        tinycc_##extension##_totals totals = tinycc_##extension##_totals_none();                             \
        for (int32_t k = 0; k < shape->reduced_size0; ++k) {                                                 \
            for (int32_t l = 0; l < shape->reduced_size1; l += TINYCC_CHANNEL_SUMS_TAPS) {                   \
                const int32_t pixels = tinycc_min(shape->reduced_size1 - l, TINYCC_CHANNEL_SUMS_TAPS);       \
                const tinycc_##extension##_sums sums = tinycc_##extension##_sums_with_pixels(                \
                    tinycc_##extension##_sums_none(),                                                        \
                    in + k * shape->reduced_stride0 + l * shape->reduced_stride1, count, pixels,             \
                    shape->reduced_stride1);                                                                 \
                tinycc_##extension##_totals_add(&totals, sums);                                              \
            }                                                                                                \
        }                                                                                                    \
        tinycc_reduce_##extension##_store(output, &totals, count, shape->is_clamped, data);                  \
    }                                                                                                        \
                                                                                                             \
    TINYCC_INLINE void tinycc_reduce_##extension##_int8(const int8_t *row, int8_t *out_row, int32_t x0,      \
                                                        int32_t x1, const tinycc_reduce_shape *shape,        \
                                                        const tinycc_reduce_##extension##_data *data)        \
    {                                                                                                        \
        const tinycc_reduce_##extension##_data local = *data;                                                \
        const int32_t rest = shape->kept_size1 % (width);                                                    \
        for (int32_t i = x0; i < x1; ++i) {                                                                  \
            const int8_t *in = row + i * shape->kept_stride0;                                                \
            int8_t *output = out_row + i * shape->kept_size1;                                                \
            if (shape->kept_stride1 == 1) {                                                                  \
                int32_t j = 0;                                                                               \
                for (; j < shape->kept_size1 - rest; j += (width)) {                                         \
                    tinycc_reduce_##extension##_channels(in + j, output + j, width, shape, &local);          \
                }                                                                                            \
                if (rest > 0) {                                                                              \
                    tinycc_reduce_##extension##_channels(in + j, output + j, rest, shape, &local);           \
                }                                                                                            \
                continue;                                                                                    \
            }                                                                                                \
            for (int32_t j = 0; j < shape->kept_size1; ++j) {                                                \
                int32_t sum = 0;                                                                             \
                for (int32_t k = 0; k < shape->reduced_size0; ++k) {                                         \
                    sum += tinycc_##extension##_sum_elements(                                                \
                        in + j * shape->kept_stride1 + k * shape->reduced_stride0, shape->reduced_size1);    \
                }                                                                                            \
                output[j] = tinycc_reduce_##extension##_result(sum, shape->is_clamped, &local);              \
            }                                                                                                \
        }                                                                                                    \
    }

#endif
