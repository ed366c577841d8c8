/* Changing the scale of an int8 tensor to that of another; uint8 tensors are taken less 128.
 *
 * The int8 kernel of requantize.h has 256 results at most. Rounded once they lie on a line, cut off to
 * integers; rounded twice, half away from zero, on one line for elements below the zero point and one for the
 * others. The compiler finds factor and offsets of 20 fraction bits that give all of them.
 *
 * Aliasing: elements in ascending order, each read before it is written. */
#ifndef TINYCC_REQUANTIZE_LINES_H
#define TINYCC_REQUANTIZE_LINES_H

#include "../shared/common.h"

#define TINYCC_LINES_BITS 20

typedef struct {
    int32_t channels;
    int32_t is_one_line; /* step is 0 */
} tinycc_requantize_lines_shape;

/* x * factor + offset fits 32 bits, plus step for x below the zero point. */
typedef struct {
    int32_t factor;
    int32_t offset;
    int32_t step;
    int32_t zero_point; /* of the input */
} tinycc_requantize_lines_data;

/* One kernel for each pair of element types; shifts are what makes them int8. */
#define TINYCC_DEFINE_REQUANTIZE_LINES(name, source, source_shift, result, result_shift)                     \
    TINYCC_INLINE void tinycc_requantize_lines_##name(                                                       \
        const source *row, result *out_row, int32_t x0, int32_t x1,                                          \
        const tinycc_requantize_lines_shape *shape, const tinycc_requantize_lines_data *data)                \
    {                                                                                                        \
        const tinycc_requantize_lines_data lines = *data;                                                    \
        TINYCC_UNROLL_TWICE                                                                                  \
        for (int32_t i = x0 * shape->channels; i < x1 * shape->channels; ++i) {                              \
            const int32_t element = row[i] - (source_shift);                                                 \
            int32_t value = element * lines.factor + lines.offset;                                           \
            if (!shape->is_one_line && element < lines.zero_point) {                                         \
                value += lines.step;                                                                         \
            }                                                                                                \
            value = tinycc_clamp(value >> TINYCC_LINES_BITS, INT8_MIN, INT8_MAX);                            \
            out_row[i] = (result)(value + (result_shift));                                                   \
        }                                                                                                    \
    }

TINYCC_DEFINE_REQUANTIZE_LINES(int8, int8_t, 0, int8_t, 0)
TINYCC_DEFINE_REQUANTIZE_LINES(int8_uint8, int8_t, 0, uint8_t, 128)
TINYCC_DEFINE_REQUANTIZE_LINES(uint8_int8, uint8_t, 128, int8_t, 0)
TINYCC_DEFINE_REQUANTIZE_LINES(uint8_uint8, uint8_t, 128, uint8_t, 128)

#undef TINYCC_DEFINE_REQUANTIZE_LINES

#endif
