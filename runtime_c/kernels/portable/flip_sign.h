/* uint8 less 128 as int8, or int8 plus 128 as uint8: the highest bit of each byte flipped.
 *
 * Aliasing: elements in ascending order, each word read before it is written; in place is right.
 * Reference: TFLite, QUANTIZE between int8 and uint8 of one scale, zero points 128 apart. */
#ifndef TINYCC_FLIP_SIGN_H
#define TINYCC_FLIP_SIGN_H

#include "../shared/common.h"

typedef struct {
    int32_t channels;
} tinycc_flip_sign_shape;

typedef struct {
    int32_t zero; /* unused; C has no empty structures */
} tinycc_flip_sign_data;

TINYCC_INLINE void tinycc_flip_bytes(const void *row, void *out_row, int32_t first, int32_t end)
{
    const uint8_t *const in = row;
    uint8_t *const out = out_row;
    int32_t i = first;
#if !defined(__arm__) || defined(__ARM_FEATURE_UNALIGNED)
    TINYCC_UNROLL
    for (; i < end - 3; i += 4) {
        uint32_t word;
        memcpy(&word, in + i, sizeof word);
        word ^= 0x80808080u;
        memcpy(out + i, &word, sizeof word);
    }
#endif
    TINYCC_UNROLL
    for (; i < end; ++i) {
        out[i] = in[i] ^ 0x80u;
    }
}

/* One kernel for each direction. */
#define TINYCC_DEFINE_FLIP_SIGN(source, result)                                                              \
    TINYCC_INLINE void tinycc_flip_sign_##source##_##result(                                                 \
        const source##_t *row, result##_t *out_row, int32_t x0, int32_t x1,                                  \
        const tinycc_flip_sign_shape *shape, const tinycc_flip_sign_data *data)                              \
    {                                                                                                        \
        (void)data;                                                                                          \
        tinycc_flip_bytes(row, out_row, x0 * shape->channels, x1 * shape->channels);                         \
    }

TINYCC_DEFINE_FLIP_SIGN(int8, uint8)
TINYCC_DEFINE_FLIP_SIGN(uint8, int8)

#undef TINYCC_DEFINE_FLIP_SIGN

#endif
