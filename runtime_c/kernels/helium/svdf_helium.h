/* The filters over time of svdf.h for Helium; see svdf_fours.h. */
#ifndef TINYCC_SVDF_HELIUM_H
#define TINYCC_SVDF_HELIUM_H

#include "../shared/svdf_fours.h"
#include "helium_dots.h"

/* feature_weights: of each four filters, packed as tinycc_dots reads them; the last four, and their biases,
 * filled up with zeros. */
typedef struct {
    const int8_t *feature_weights;
    const int32_t *feature_bias;
} tinycc_svdf_helium_features;

TINYCC_INLINE void tinycc_svdf_helium_sums(int32_t *sums, const int8_t *input, int32_t filter, int32_t inputs,
                                           const tinycc_svdf_helium_features *features)
{
    const int8_t *weights = features->feature_weights + filter * tinycc_dot_weights(inputs);
    const tinycc_lanes dots = tinycc_dots(input, &weights, inputs, 8);
    tinycc_save_lanes(sums, tinycc_add_lanes(dots, tinycc_restore_lanes(features->feature_bias + filter, 0)));
}

#if TINYCC_MVE

/* In tail-predicated loops, which the compiler does not make; only even registers take such a sum. */
#define TINYCC_DEFINE_SVDF_ADVANCE(state, size, load, store)                                                 \
    TINYCC_INLINE uint32_t tinycc_svdf_helium_advance_##state(state##_t *history, const state##_t *weights,  \
                                                              int32_t memory, int32_t newest)                \
    {                                                                                                        \
        state##_t *place = history;                                                                          \
        const state##_t *next = history + 1, *factors = weights;                                             \
        int32_t total = newest * weights[memory - 1];                                                        \
        __asm__ volatile(                                                                                    \
            "wlstp." size " lr, %[count], 2f\n"                                                              \
            "1:\n\t" load " q0, [%[next]], #16\n\t" load " q1, [%[factors]], #16\n\t" store                  \
            " q0, [%[place]], #16\n\tvmladava.s" size " %[total], q0, q1\n\tletp lr, 1b\n"                   \
            "2:"                                                                                             \
            : [total] "+Te"(total), [next] "+r"(next), [factors] "+r"(factors), [place] "+r"(place)          \
            : [count] "r"(memory - 1)                                                                        \
            : "lr", "q0", "q1", "memory");                                                                   \
        history[memory - 1] = (state##_t)newest;                                                             \
        return (uint32_t)total;                                                                              \
    }

TINYCC_DEFINE_SVDF_ADVANCE(int8, "8", "vldrb.8", "vstrb.8")
TINYCC_DEFINE_SVDF_ADVANCE(int16, "16", "vldrh.16", "vstrh.16")

#undef TINYCC_DEFINE_SVDF_ADVANCE

#else

#define tinycc_svdf_helium_advance_int8 tinycc_svdf_advance_int8
#define tinycc_svdf_helium_advance_int16 tinycc_svdf_advance_int16

#endif

TINYCC_DEFINE_SVDF_FOURS(helium, int8)
TINYCC_DEFINE_SVDF_FOURS(helium, int16)

#endif
