/* The filters over time of svdf.h with the DSP extension; see svdf_fours.h.
 *
 * Weights of features may be any int8, so that they are widened on the way. */
#ifndef TINYCC_SVDF_DSP_H
#define TINYCC_SVDF_DSP_H

#include "../shared/svdf_fours.h"

/* The last four filters are filled up with zeros. */
typedef struct {
    const int8_t *feature_weights; /* [filters][inputs] */
    const int32_t *feature_bias;   /* [filters] */
} tinycc_svdf_dsp_features;

/* sums[k] += products of four inputs and the weights of filter k. */
TINYCC_INLINE void tinycc_svdf_dsp_word(int32_t *sums, uint32_t input, const int8_t *weights, int32_t inputs)
{
    const uint32_t even = tinycc_dsp_even(input), odd = tinycc_dsp_odd(input);
    TINYCC_UNROLL
    for (int32_t k = 0; k < TINYCC_SVDF_BLOCK; ++k) {
        const uint32_t word = tinycc_dsp_load(weights + k * inputs);
        sums[k] = tinycc_dsp_mac(even, tinycc_dsp_even(word), sums[k]);
        sums[k] = tinycc_dsp_mac(odd, tinycc_dsp_odd(word), sums[k]);
    }
}

TINYCC_INLINE void tinycc_svdf_dsp_sums(int32_t *sums, const int8_t *input, int32_t filter, int32_t inputs,
                                        const tinycc_svdf_dsp_features *features)
{
    const int8_t *weights = features->feature_weights + filter * inputs;
    memcpy(sums, features->feature_bias + filter, TINYCC_SVDF_BLOCK * sizeof *sums);
    for (int32_t words = inputs / 4; words > 0; --words) {
        tinycc_svdf_dsp_word(sums, tinycc_dsp_load(input), weights, inputs);
        input += 4;
        weights += 4;
    }
    for (int32_t i = 0; i < inputs % 4; ++i) {
        for (int32_t k = 0; k < TINYCC_SVDF_BLOCK; ++k) {
            sums[k] += input[i] * weights[k * inputs + i];
        }
    }
}

/* `total` plus the product of two elements, which are stored, with their weights. */
TINYCC_INLINE int32_t tinycc_svdf_dsp_two(int32_t total, int16_t *history, uint32_t elements,
                                          const int16_t *weights)
{
    memcpy(history, &elements, sizeof elements);
    return tinycc_dsp_mac(elements, tinycc_dsp_load(weights), total);
}

TINYCC_INLINE uint32_t tinycc_svdf_dsp_advance_int16(int16_t *history, const int16_t *weights, int32_t memory,
                                                     int32_t newest)
{
    int32_t total = 0;
    TINYCC_UNROLL
    for (int32_t pairs = (memory - 1) / 2; pairs > 0; --pairs) {
        total = tinycc_svdf_dsp_two(total, history, tinycc_dsp_load(history + 1), weights);
        history += 2;
        weights += 2;
    }
    if (memory % 2 == 0) {
        return (uint32_t)tinycc_svdf_dsp_two(total, history, tinycc_dsp_pack(history[1], newest), weights);
    }
    return (uint32_t)total + tinycc_svdf_advance_int16(history, weights, 1, newest);
}

/* The same for four elements. */
TINYCC_INLINE int32_t tinycc_svdf_dsp_four(int32_t total, int8_t *history, uint32_t elements,
                                           const int8_t *weights)
{
    const uint32_t factors = tinycc_dsp_load(weights);
    memcpy(history, &elements, sizeof elements);
    total = tinycc_dsp_mac(tinycc_dsp_even(elements), tinycc_dsp_even(factors), total);
    return tinycc_dsp_mac(tinycc_dsp_odd(elements), tinycc_dsp_odd(factors), total);
}

TINYCC_INLINE uint32_t tinycc_svdf_dsp_advance_int8(int8_t *history, const int8_t *weights, int32_t memory,
                                                    int32_t newest)
{
    int32_t total = 0;
    TINYCC_UNROLL
    for (int32_t fours = (memory - 1) / 4; fours > 0; --fours) {
        total = tinycc_svdf_dsp_four(total, history, tinycc_dsp_load(history + 1), weights);
        history += 4;
        weights += 4;
    }
    if (memory % 4 == 0) {
        const uint32_t elements = tinycc_dsp_load(history) >> 8 | (uint32_t)newest << 24;
        return (uint32_t)tinycc_svdf_dsp_four(total, history, elements, weights);
    }
    return (uint32_t)total + tinycc_svdf_advance_int8(history, weights, memory % 4, newest);
}

TINYCC_DEFINE_SVDF_FOURS(dsp, int8)
TINYCC_DEFINE_SVDF_FOURS(dsp, int16)

#endif
