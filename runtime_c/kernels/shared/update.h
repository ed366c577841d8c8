/* Updates of integers by real numbers: stochastic rounding with random numbers that depend on nothing but a
 * seed, the training step, the tensor and the element, so that no order of kernels matters.
 *
 *   hash = mix(mix(mix(seed ^ step) ^ tensor) + element * 0x9E3779B9), all uint32
 *   u = (hash >> 8) / 2**24, in [0, 1)                      change = floor(delta + u)
 *
 * mix is the integer hash "lowbias32" of C. Wellons. With u = 0.5 a change is rounded to nearest, halves up.
 * The same in numpy: tinycc/ops/update.py. */
#ifndef TINYCC_UPDATE_H
#define TINYCC_UPDATE_H

#include "common.h"

TINYCC_INLINE uint32_t tinycc_mix(uint32_t hash)
{
    hash ^= hash >> 16;
    hash *= 0x7feb352du;
    hash ^= hash >> 15;
    hash *= 0x846ca68bu;
    hash ^= hash >> 16;
    return hash;
}

/* What the random numbers of a tensor have in common in a step. */
TINYCC_INLINE uint32_t tinycc_update_key(int32_t seed, int32_t step, int32_t tensor)
{
    return tinycc_mix(tinycc_mix((uint32_t)seed ^ (uint32_t)step) ^ (uint32_t)tensor);
}

/* u of an element. */
TINYCC_INLINE float tinycc_update_random(uint32_t key, int32_t element)
{
    const uint32_t hash = tinycc_mix(key + (uint32_t)element * 0x9E3779B9u);
    return (float)(int32_t)(hash >> 8) * (1.0f / 16777216.0f);
}

/* floor(delta + u), delta held to [-bound, bound]; 0 where delta is no finite number. */
TINYCC_INLINE int32_t tinycc_update_change(float delta, float bound, float u)
{
    const float plain = delta + u;
    uint32_t bits;
    memcpy(&bits, &plain, sizeof(bits));
    /* Most changes are none: sums in [0, 1), as their bits say soonest. */
    if (bits < 0x3F800000u || !(delta - delta == 0.0f)) {
        return 0;
    }
    const float sum = (delta < -bound ? -bound : (delta > bound ? bound : delta)) + u;
    const int32_t whole = (int32_t)sum;
    return whole - (sum < (float)whole ? 1 : 0);
}

#endif
