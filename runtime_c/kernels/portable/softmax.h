/* Softmax of int8 over the channels of each pixel.
 *
 *   out[c] = clamp(zero_point + requantize(exp(in[c] - max) / sum_k exp(in[k] - max) in steps of
 * 2**-output_bits))
 *
 * Elements that are more than most_below less than max give 0 and do not count in the sum.
 * Aliasing: pixels in ascending order. One whose exponentials are kept is read in full before it is written;
 * another is read twice in full, then element c is written once it is read. Reference: TFLite int8
 * specification, SOFTMAX; there output_bits is 8 or 16 and the output's scale one step. */
#ifndef TINYCC_SOFTMAX_H
#define TINYCC_SOFTMAX_H

#include "../shared/exponential.h"

/* Exponentials that are kept from the sum to the output, so that they are computed once. */
#define TINYCC_SOFTMAX_KEPT 16

typedef struct {
    int32_t channels; /* at most 4096, so that the sum fits 31 bits */
    int32_t output_bits;
    int32_t requantized; /* 0 where the output's scale is one step */
    int32_t tabled;      /* whether exponentials are those of the table */
} tinycc_softmax_shape;

typedef struct {
    const int32_t *exponentials; /* of 0, -1, ... -most_below */
    int32_t input_factor;        /* without a table: to Q5.26 after input_shift, as in the inverse below */
    int32_t output_multiplier;
    int16_t output_zero_point;
    uint8_t most_below;
    int8_t input_shift; /* not negative */
    int8_t output_shift;
} tinycc_softmax_data;

/* What exponentials are multiplied with: 1 + factor / 2**32, then plus rounding, over 2**exponent. */
typedef struct {
    int32_t factor;
    uint32_t rounding;
    int32_t exponent;
} tinycc_softmax_inverse;

/* The exponential of an element, Q0.31; 0 where it does not count. */
TINYCC_INLINE int32_t tinycc_softmax_exp(int32_t element, int32_t maximum, const tinycc_softmax_shape *shape,
                                         const tinycc_softmax_data *data)
{
    const int32_t below = maximum - element;
    if (below > data->most_below) {
        return 0;
    }
    if (shape->tabled) {
        return data->exponentials[below];
    }
    const int32_t shifted = -(int32_t)((uint32_t)below << data->input_shift);
    return tinycc_exp_of_negative(tinycc_round_high_plus(shifted, data->input_factor));
}

/* 1 / sum, in steps of the result. sum: of exponentials, Q12.19. */
TINYCC_INLINE tinycc_softmax_inverse tinycc_softmax_invert(uint32_t sum, int32_t output_bits)
{
    const int32_t zeros = tinycc_leading_zeros(sum);
    /* 1 / sum = inverse * 2**(zeros - 12) with inverse in (1/2, 1] */
    const int32_t inverse = tinycc_one_over_one_plus((int32_t)((sum << zeros) & 0x7fffffffu));
    const int32_t exponent = 12 - zeros + 31 - output_bits;
    tinycc_softmax_inverse result = {0, 0, 31};
    /* beyond 31 bits all quotients are less than a half */
    if (exponent <= 31) {
        result.factor = 2 * (inverse - INT32_MAX - 1);
        result.rounding = (uint32_t)1 << exponent >> 1;
        result.exponent = exponent;
    }
    return result;
}

/* One kernel for each output type. */
#define TINYCC_DEFINE_SOFTMAX(output, least, most)                                                           \
    /* Of a part of the sum, in steps of the result. */                                                      \
    TINYCC_INLINE output##_t tinycc_softmax_output_##output(int32_t value, int32_t requantized,              \
                                                            const tinycc_softmax_data *data)                 \
    {                                                                                                        \
        if (!requantized) {                                                                                  \
            return (output##_t)(value > (most) - (least) ? (most) : value + (least));                        \
        }                                                                                                    \
        value = tinycc_requantize(value, data->output_multiplier, data->output_shift);                       \
        return (output##_t)tinycc_clamp(value + data->output_zero_point, least, most);                       \
    }                                                                                                        \
                                                                                                             \
    TINYCC_INLINE void tinycc_softmax_int8_##output(const int8_t *row, output##_t *out_row, int32_t x0,      \
                                                    int32_t x1, const tinycc_softmax_shape *shape,           \
                                                    const tinycc_softmax_data *data)                         \
    {                                                                                                        \
        const int keeps = !shape->tabled && shape->channels <= TINYCC_SOFTMAX_KEPT;                          \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            const int8_t *pixel = row + x * shape->channels;                                                 \
            int32_t kept[TINYCC_SOFTMAX_KEPT];                                                               \
            int32_t maximum = pixel[0];                                                                      \
            for (int32_t c = 1; c < shape->channels; ++c) {                                                  \
                maximum = pixel[c] > maximum ? pixel[c] : maximum;                                           \
            }                                                                                                \
            uint32_t sum = 0;                                                                                \
            for (int32_t c = 0; c < shape->channels; ++c) {                                                  \
                const int32_t exponential = tinycc_softmax_exp(pixel[c], maximum, shape, data);              \
                sum += ((uint32_t)exponential + 2048) >> 12;                                                 \
                if (keeps) {                                                                                 \
                    kept[c] = exponential;                                                                   \
                }                                                                                            \
            }                                                                                                \
            const tinycc_softmax_inverse inverse = tinycc_softmax_invert(sum, shape->output_bits);           \
            for (int32_t c = 0; c < shape->channels; ++c) {                                                  \
                const int32_t exponential =                                                                  \
                    keeps ? kept[c] : tinycc_softmax_exp(pixel[c], maximum, shape, data);                    \
                const uint32_t value = (uint32_t)tinycc_round_high_plus(exponential, inverse.factor);        \
                const int32_t part = (int32_t)((value + inverse.rounding) >> inverse.exponent);              \
                out_row[x * shape->channels + c] =                                                           \
                    tinycc_softmax_output_##output(part, shape->requantized, data);                          \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_SOFTMAX(int8, INT8_MIN, INT8_MAX)
TINYCC_DEFINE_SOFTMAX(int16, INT16_MIN, INT16_MAX)

#undef TINYCC_DEFINE_SOFTMAX

#endif
