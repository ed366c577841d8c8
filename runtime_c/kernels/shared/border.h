/* What lies outside of a tensor that is padded with its own elements.
 *
 * Each function gives the index in [0, size) that an index outside of it stands for; one inside stands for
 * itself. An index is outside by at most `size`, by less for a reflection.
 * Reference: PyTorch's padding modes; TFLite, MIRROR_PAD. */
#ifndef TINYCC_BORDER_H
#define TINYCC_BORDER_H

#include "common.h"

/* a a | a b c d | d d */
TINYCC_INLINE int32_t tinycc_replicate(int32_t index, int32_t size)
{
    return tinycc_clamp(index, 0, size - 1);
}

/* c b | a b c d | c b */
TINYCC_INLINE int32_t tinycc_reflect(int32_t index, int32_t size)
{
    return index < 0 ? -index : (index < size ? index : 2 * size - 2 - index);
}

/* b a | a b c d | d c */
TINYCC_INLINE int32_t tinycc_symmetric(int32_t index, int32_t size)
{
    return index < 0 ? -1 - index : (index < size ? index : 2 * size - 1 - index);
}

/* c d | a b c d | a b */
TINYCC_INLINE int32_t tinycc_circular(int32_t index, int32_t size)
{
    return index < 0 ? index + size : (index < size ? index : index - size);
}

#endif
