/* A delay line, the last elements of a sequence in their order: new ones come in behind the others, and as
 * many of the oldest go.
 *
 * Aliasing: output may be the line itself; it must not overlap what comes in, but for its end.
 * Reference: TFLite Micro, CIRCULAR_BUFFER; CONCATENATION and STRIDED_SLICE of streaming models. */
#ifndef TINYCC_DELAY_LINE_H
#define TINYCC_DELAY_LINE_H

#include "../shared/common.h"

typedef struct {
    int32_t kept;  /* Elements that stay. */
    int32_t added; /* Elements that come in, and that go. */
} tinycc_delay_line_shape;

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_delay_line_data;

/* One kernel for each element type. */
#define TINYCC_DEFINE_DELAY_LINE(element)                                                                    \
    TINYCC_INLINE void tinycc_delay_line_##element(                                                          \
        const element##_t *added, const element##_t *line, element##_t *out_row, int32_t x0, int32_t x1,     \
        const tinycc_delay_line_shape *shape, const tinycc_delay_line_data *data)                            \
    {                                                                                                        \
        (void)x0;                                                                                            \
        (void)x1;                                                                                            \
        (void)data;                                                                                          \
        memmove(out_row, line + shape->added, (size_t)shape->kept * sizeof(*out_row));                       \
        memmove(out_row + shape->kept, added, (size_t)shape->added * sizeof(*out_row));                      \
    }

TINYCC_DEFINE_DELAY_LINE(int8)
TINYCC_DEFINE_DELAY_LINE(int16)

#undef TINYCC_DEFINE_DELAY_LINE

#endif
