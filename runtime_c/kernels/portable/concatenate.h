/* Concatenation: for each x a run of elements from each input in turn.
 *
 * Aliasing: output must not overlap an input.
 * Reference: TFLite, CONCATENATION of tensors of one scale. */
#ifndef TINYCC_CONCATENATE_H
#define TINYCC_CONCATENATE_H

#include "../shared/common.h"

typedef struct {
    int32_t inputs;
} tinycc_concatenate_shape;

typedef struct {
    const int32_t *lengths; /* [inputs], elements of a run */
} tinycc_concatenate_data;

/* One kernel for each element type. */
#define TINYCC_DEFINE_CONCATENATE(element, type)                                                             \
    TINYCC_INLINE void tinycc_concatenate_##element(const type *const *inputs, type *out_row, int32_t x0,    \
                                                    int32_t x1, const tinycc_concatenate_shape *shape,       \
                                                    const tinycc_concatenate_data *data)                     \
    {                                                                                                        \
        int32_t total = 0;                                                                                   \
        for (int32_t i = 0; i < shape->inputs; ++i) {                                                        \
            total += data->lengths[i];                                                                       \
        }                                                                                                    \
        for (int32_t x = x0; x < x1; ++x) {                                                                  \
            type *output = out_row + x * total;                                                              \
            for (int32_t i = 0; i < shape->inputs; ++i) {                                                    \
                const int32_t length = data->lengths[i];                                                     \
                memcpy(output, inputs[i] + x * length, (size_t)length * sizeof(*output));                    \
                output += length;                                                                            \
            }                                                                                                \
        }                                                                                                    \
    }

TINYCC_DEFINE_CONCATENATE(int8, int8_t)
TINYCC_DEFINE_CONCATENATE(int16, int16_t)
TINYCC_DEFINE_CONCATENATE(float32, float)

#undef TINYCC_DEFINE_CONCATENATE

#endif
