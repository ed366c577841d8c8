/* Vectors times a matrix of weights, requantized: what pointwise convolutions and dense layers are, and
 * other convolutions once their windows are laid out as vectors.
 *
 * Order: two vectors at a time; of both, outputs in ascending order, eight at a time. The last four or fewer
 * vectors' worth of outputs may be written while the vectors are still read. */
#ifndef TINYCC_HELIUM_MATRIX_H
#define TINYCC_HELIUM_MATRIX_H

#include "helium_dots.h"

typedef struct {
    int32_t inputs;
    int32_t outputs;
    int32_t rectified; /* see tinycc_rescale_lanes */
    int32_t saturated; /* whether the output's range is all of an int8 */
    int32_t weight_bits;
} tinycc_matrix_shape;

/* matrix: rows in groups of eight, the even ones of a group, then the odd ones; of what is left, groups of
 * four, the last one filled up with zeros. Each four rows are TINYCC_LANE_CONSTANTS, then weights packed as
 * tinycc_dots reads them. */
typedef struct {
    const int32_t *matrix;
    tinycc_output_range range;
} tinycc_matrix_data;

/* One vector. */
TINYCC_INLINE void tinycc_matrix_single(const int8_t *a, int8_t *out, int32_t inputs, int32_t outputs,
                                        int rectified, int saturated, int weight_bits,
                                        const tinycc_matrix_data *data)
{
    const tinycc_output_range range = saturated ? tinycc_whole_range(&data->range) : data->range;
    const int8_t *stream = (const int8_t *)data->matrix;
    int32_t left = outputs;
    for (; left >= 2 * TINYCC_LANES; left -= 2 * TINYCC_LANES) {
        const int32_t *constants = tinycc_next_constants(&stream, 1);
        tinycc_lanes even = tinycc_dots(a, &stream, inputs, weight_bits);
        even = tinycc_requantize_lanes(even, constants, rectified);
        constants = tinycc_next_constants(&stream, 1);
        tinycc_lanes odd = tinycc_dots(a, &stream, inputs, weight_bits);
        odd = tinycc_requantize_lanes(odd, constants, rectified);
        tinycc_store_pairs(out, even, odd, 2 * TINYCC_LANES, &range);
        out += 2 * TINYCC_LANES;
    }
    for (; left > 0; left -= TINYCC_LANES) {
        const int32_t *const constants = tinycc_next_constants(&stream, 1);
        tinycc_lanes sums = tinycc_dots(a, &stream, inputs, weight_bits);
        sums = tinycc_requantize_lanes(sums, constants, rectified);
        tinycc_store_lanes(out, sums, left < TINYCC_LANES ? left : TINYCC_LANES, &range);
        out += TINYCC_LANES;
    }
}

/* Two vectors, whose outputs lie one after the other. */
TINYCC_INLINE void tinycc_matrix_pair(const int8_t *a, const int8_t *b, int8_t *out, int32_t inputs,
                                      int32_t outputs, int rectified, int saturated, int weight_bits,
                                      const tinycc_matrix_data *data)
{
    const tinycc_output_range range = saturated ? tinycc_whole_range(&data->range) : data->range;
    const int8_t *stream = (const int8_t *)data->matrix;
    int32_t left = outputs;
    for (; left >= 2 * TINYCC_LANES; left -= 2 * TINYCC_LANES) {
        tinycc_lanes even_a, even_b, odd_a, odd_b;
        const int32_t *constants = tinycc_next_constants(&stream, 1);
        tinycc_dots_pair(&even_a, &even_b, a, b, &stream, inputs, weight_bits);
        even_a = tinycc_requantize_lanes(even_a, constants, rectified);
        even_b = tinycc_requantize_lanes(even_b, constants, rectified);
        constants = tinycc_next_constants(&stream, 1);
        tinycc_dots_pair(&odd_a, &odd_b, a, b, &stream, inputs, weight_bits);
        odd_a = tinycc_requantize_lanes(odd_a, constants, rectified);
        odd_b = tinycc_requantize_lanes(odd_b, constants, rectified);
        tinycc_store_pairs(out, even_a, odd_a, 2 * TINYCC_LANES, &range);
        tinycc_store_pairs(out + outputs, even_b, odd_b, 2 * TINYCC_LANES, &range);
        out += 2 * TINYCC_LANES;
    }
    for (; left > 0; left -= TINYCC_LANES) {
        const int32_t count = left < TINYCC_LANES ? left : TINYCC_LANES;
        const int32_t *const constants = tinycc_next_constants(&stream, 1);
        tinycc_lanes sums_a, sums_b;
        tinycc_dots_pair(&sums_a, &sums_b, a, b, &stream, inputs, weight_bits);
        tinycc_store_lanes(out, tinycc_requantize_lanes(sums_a, constants, rectified), count, &range);
        tinycc_store_lanes(out + outputs, tinycc_requantize_lanes(sums_b, constants, rectified), count,
                           &range);
        out += TINYCC_LANES;
    }
}

/* `vectors` vectors, one after the other, as are their outputs. */
TINYCC_INLINE void tinycc_matrix_rows(const int8_t *in, int8_t *out, int32_t vectors, int32_t inputs,
                                      int32_t outputs, int rectified, int saturated, int weight_bits,
                                      const tinycc_matrix_data *data)
{
    for (; vectors >= 2; vectors -= 2) {
        tinycc_matrix_pair(in, in + inputs, out, inputs, outputs, rectified, saturated, weight_bits, data);
        in += 2 * inputs;
        out += 2 * outputs;
    }
    if (vectors > 0) {
        tinycc_matrix_single(in, out, inputs, outputs, rectified, saturated, weight_bits, data);
    }
}

/* Layers share functions, which are made for the counts that tinycc_dots knows. */
#define TINYCC_DEFINE_MATRIX(suffix, count, rectified, saturated, weight_bits)                               \
    TINYCC_SHARED void tinycc_matrix_##suffix(const int8_t *in, int8_t *out, int32_t vectors,                \
                                              int32_t inputs, int32_t outputs,                               \
                                              const tinycc_matrix_data *data)                                \
    {                                                                                                        \
        (void)inputs;                                                                                        \
        tinycc_matrix_rows(in, out, vectors, count, outputs, rectified, saturated, weight_bits, data);       \
    }
#define TINYCC_DEFINE_MATRICES(suffix, count)                                                                \
    TINYCC_DEFINE_MATRIX(suffix, count, 0, 1, 8)                                                             \
    TINYCC_DEFINE_MATRIX(suffix##_rectified, count, 1, 1, 8)                                                 \
    TINYCC_DEFINE_MATRIX(suffix##_narrow, count, 0, 1, 4)                                                    \
    TINYCC_DEFINE_MATRIX(suffix##_narrow_rectified, count, 1, 1, 4)

TINYCC_DEFINE_MATRICES(8, 8)
TINYCC_DEFINE_MATRICES(16, 16)
TINYCC_DEFINE_MATRICES(24, 24)
TINYCC_DEFINE_MATRICES(32, 32)
TINYCC_DEFINE_MATRICES(40, 40)
TINYCC_DEFINE_MATRICES(48, 48)
TINYCC_DEFINE_MATRICES(64, 64)
TINYCC_DEFINE_MATRICES(any, inputs)
TINYCC_DEFINE_MATRIX(clamped, inputs, 0, 0, 8)
TINYCC_DEFINE_MATRIX(clamped_narrow, inputs, 0, 0, 4)

#undef TINYCC_DEFINE_MATRICES
#undef TINYCC_DEFINE_MATRIX

TINYCC_INLINE void tinycc_matrix(const int8_t *in, int8_t *out, int32_t vectors,
                                 const tinycc_matrix_shape *shape, const tinycc_matrix_data *data)
{
#define TINYCC_CHOOSE(condition, one, other)                                                                 \
    ((condition) ? tinycc_matrix_##one : tinycc_matrix_##other)(in, out, vectors, shape->inputs,             \
                                                                shape->outputs, data)
#define TINYCC_CALL(suffix)                                                                                  \
    if (shape->weight_bits == 4) {                                                                           \
        TINYCC_CHOOSE(shape->rectified, suffix##_narrow_rectified, suffix##_narrow);                         \
    } else {                                                                                                 \
        TINYCC_CHOOSE(shape->rectified, suffix##_rectified, suffix);                                         \
    }
    if (!shape->saturated) {
        TINYCC_CHOOSE(shape->weight_bits == 4, clamped_narrow, clamped);
    } else if (shape->inputs == 8) {
        TINYCC_CALL(8)
    } else if (shape->inputs == 16) {
        TINYCC_CALL(16)
    } else if (shape->inputs == 24) {
        TINYCC_CALL(24)
    } else if (shape->inputs == 32) {
        TINYCC_CALL(32)
    } else if (shape->inputs == 40) {
        TINYCC_CALL(40)
    } else if (shape->inputs == 48) {
        TINYCC_CALL(48)
    } else if (shape->inputs == 64) {
        TINYCC_CALL(64)
    } else {
        TINYCC_CALL(any)
    }
#undef TINYCC_CALL
#undef TINYCC_CHOOSE
}

#endif
