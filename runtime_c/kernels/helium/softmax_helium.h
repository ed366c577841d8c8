/* The softmax of softmax.h for Helium, where exponentials are looked up and the output's scale is one step.
 *
 * Aliasing: as in softmax.h, four elements at a time. */
#ifndef TINYCC_SOFTMAX_HELIUM_H
#define TINYCC_SOFTMAX_HELIUM_H

#include "../portable/softmax.h"
#include "helium.h"

typedef struct {
    int32_t channels; /* at most 4096 */
} tinycc_softmax_helium_shape;

typedef struct {
    const int32_t *exponentials; /* of 0, -1, ... -most_below */
    uint8_t most_below;
} tinycc_softmax_helium_data;

#if TINYCC_MVE

/* In a tail-predicated loop, which the compiler does not make. */
TINYCC_INLINE int32_t tinycc_softmax_maximum(const int8_t *pixel, int32_t channels)
{
    int32_t most = INT8_MIN;
    __asm__ volatile("wlstp.8 lr, %[channels], 2f\n"
                     "1:\n\tvldrb.8 q0, [%[pixel]], #16\n\tvmaxv.s8 %[most], q0\n\tletp lr, 1b\n"
                     "2:"
                     : [pixel] "+r"(pixel), [most] "+r"(most)
                     : [channels] "r"(channels)
                     : "lr", "q0", "memory");
    return most;
}

/* Exponentials of four elements, or of the first `count` of them, and zeros. */
TINYCC_INLINE tinycc_lanes tinycc_softmax_exponentials(const int8_t *pixel, int32_t count, int32_t maximum,
                                                       const tinycc_softmax_helium_data *data)
{
    const int32x4_t below = vsubq_s32(vdupq_n_s32(maximum), tinycc_load_lanes(pixel, count));
    const mve_pred16_t counted = count >= TINYCC_LANES
                                     ? vcmpleq_n_s32(below, data->most_below)
                                     : vcmpleq_m_n_s32(below, data->most_below, vctp32q((uint32_t)count));
    return vldrwq_gather_shifted_offset_z_s32(data->exponentials, vreinterpretq_u32_s32(below), counted);
}

/* sum + exponentials in Q12.19. */
TINYCC_INLINE int32_t tinycc_softmax_add(int32_t sum, tinycc_lanes exponentials)
{
    return vaddvaq_s32(sum, vrshrq_n_s32(exponentials, 12));
}

#else

TINYCC_INLINE int32_t tinycc_softmax_maximum(const int8_t *pixel, int32_t channels)
{
    int32_t most = INT8_MIN;
    for (int32_t c = 0; c < channels; ++c) {
        most = pixel[c] > most ? pixel[c] : most;
    }
    return most;
}

TINYCC_INLINE tinycc_lanes tinycc_softmax_exponentials(const int8_t *pixel, int32_t count, int32_t maximum,
                                                       const tinycc_softmax_helium_data *data)
{
    tinycc_lanes found = {{0, 0, 0, 0}};
    for (int32_t k = 0; k < TINYCC_LANES && k < count; ++k) {
        const int32_t below = maximum - pixel[k];
        found.lane[k] = below <= data->most_below ? data->exponentials[below] : 0;
    }
    return found;
}

TINYCC_INLINE int32_t tinycc_softmax_add(int32_t sum, tinycc_lanes exponentials)
{
    for (int32_t k = 0; k < TINYCC_LANES; ++k) {
        sum += (int32_t)(((uint32_t)exponentials.lane[k] + 2048) >> 12);
    }
    return sum;
}

#endif

/* Outputs of four elements, or of the first `count` of them. */
TINYCC_INLINE void tinycc_softmax_outputs(const int8_t *pixel, int8_t *out, int32_t count, int32_t maximum,
                                          const tinycc_softmax_inverse *inverse,
                                          const tinycc_softmax_helium_data *data)
{
    const tinycc_output_range range = {INT8_MIN, INT8_MIN, INT8_MAX};
    const int32_t multiplier = (int32_t)((uint32_t)inverse->factor >> 1);
    const tinycc_lanes found = tinycc_softmax_exponentials(pixel, count, maximum, data);
    tinycc_store_lanes(out, tinycc_scale_lanes(found, multiplier, -inverse->exponent, 1), count, &range);
}

TINYCC_INLINE void tinycc_softmax_helium_int8(const int8_t *row, int8_t *out_row, int32_t x0, int32_t x1,
                                              const tinycc_softmax_helium_shape *shape,
                                              const tinycc_softmax_helium_data *data)
{
    const int32_t rest = shape->channels % TINYCC_LANES;
    const int32_t whole = shape->channels - rest;
    for (int32_t x = x0; x < x1; ++x) {
        const int8_t *pixel = row + x * shape->channels;
        int8_t *out = out_row + x * shape->channels;
        const int32_t maximum = tinycc_softmax_maximum(pixel, shape->channels);
        int32_t sum = 0;
        for (int32_t c = 0; c < whole; c += TINYCC_LANES) {
            sum =
                tinycc_softmax_add(sum, tinycc_softmax_exponentials(pixel + c, TINYCC_LANES, maximum, data));
        }
        if (rest > 0) {
            sum = tinycc_softmax_add(sum, tinycc_softmax_exponentials(pixel + whole, rest, maximum, data));
        }
        const tinycc_softmax_inverse inverse = tinycc_softmax_invert((uint32_t)sum, 8);
        for (int32_t c = 0; c < whole; c += TINYCC_LANES) {
            tinycc_softmax_outputs(pixel + c, out + c, TINYCC_LANES, maximum, &inverse, data);
        }
        if (rest > 0) {
            tinycc_softmax_outputs(pixel + whole, out + whole, rest, maximum, &inverse, data);
        }
    }
}

#endif
