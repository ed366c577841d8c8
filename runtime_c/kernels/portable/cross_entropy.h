/* Cross-entropy of a softmax over integers with a label, and its gradient with respect to the integers:
 *
 *   z[i] = (logits[i] - max) * scale,  sum = sum_i exp(z[i]), i ascending
 *   loss = log(sum) - z[label]         gradient[i] = scale * (exp(z[i]) / sum - (i == label))
 *
 * With a label that is none of [0, classes) the loss is NaN and the gradient 0.
 * Aliasing: output must not overlap what is read. */
#ifndef TINYCC_CROSS_ENTROPY_H
#define TINYCC_CROSS_ENTROPY_H

#include "../shared/float_functions.h"

typedef struct {
    int32_t classes;
} tinycc_cross_entropy_shape;

typedef struct {
    float scale;
} tinycc_cross_entropy_data;

TINYCC_INLINE int32_t tinycc_cross_entropy_max(const int8_t *logits, int32_t classes)
{
    int32_t max = logits[0];
    for (int32_t i = 1; i < classes; ++i) {
        max = logits[i] > max ? logits[i] : max;
    }
    return max;
}

TINYCC_INLINE void tinycc_cross_entropy_int8(const int8_t *logits, const int32_t *label, float *out_row,
                                             int32_t x0, int32_t x1, const tinycc_cross_entropy_shape *shape,
                                             const tinycc_cross_entropy_data *data)
{
    const int32_t max = tinycc_cross_entropy_max(logits, shape->classes);
    float sum = 0.0f;
    (void)x0;
    (void)x1;
    if (*label < 0 || *label >= shape->classes) {
        *out_row = NAN;
        return;
    }
    for (int32_t i = 0; i < shape->classes; ++i) {
        sum += tinycc_exp((float)(logits[i] - max) * data->scale);
    }
    *out_row = tinycc_log(sum) - (float)(logits[*label] - max) * data->scale;
}

TINYCC_INLINE void tinycc_cross_entropy_gradient_int8(const int8_t *logits, const int32_t *label,
                                                      float *out_row, int32_t x0, int32_t x1,
                                                      const tinycc_cross_entropy_shape *shape,
                                                      const tinycc_cross_entropy_data *data)
{
    const int32_t max = tinycc_cross_entropy_max(logits, shape->classes);
    const int is_label = *label >= 0 && *label < shape->classes;
    float sum = 0.0f;
    for (int32_t i = x0; i < x1; ++i) {
        out_row[i] = tinycc_exp((float)(logits[i] - max) * data->scale);
        sum += out_row[i];
    }
    for (int32_t i = x0; i < x1; ++i) {
        const float wanted = i == *label ? 1.0f : 0.0f;
        out_row[i] = is_label ? (out_row[i] / sum - wanted) * data->scale : 0.0f;
    }
}

#endif
