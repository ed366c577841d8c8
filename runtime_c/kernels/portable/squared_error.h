/* Mean squared error of the real numbers that integers stand for, and its gradient with respect to the
 * integers:
 *
 *   error[i] = (in[i] - zero_point) * scale - target[i]
 *   loss = (sum_i error[i] * error[i]) / elements, i ascending        gradient[i] = error[i] * factor
 *
 * factor is 2 * scale / elements.
 * Aliasing: the gradient may be written over the target; element after element. */
#ifndef TINYCC_SQUARED_ERROR_H
#define TINYCC_SQUARED_ERROR_H

#include "../shared/common.h"

typedef struct {
    int32_t elements;
} tinycc_squared_error_shape;

typedef struct {
    float scale;
    int32_t zero_point;
    float factor;
} tinycc_squared_error_data;

TINYCC_INLINE void tinycc_squared_error_int8(const int8_t *row, const float *target, float *out_row,
                                             int32_t x0, int32_t x1, const tinycc_squared_error_shape *shape,
                                             const tinycc_squared_error_data *data)
{
    float sum = 0.0f;
    (void)x0;
    (void)x1;
    for (int32_t i = 0; i < shape->elements; ++i) {
        const float error = (float)(row[i] - data->zero_point) * data->scale - target[i];
        sum += error * error;
    }
    *out_row = sum / (float)shape->elements;
}

TINYCC_INLINE void tinycc_squared_error_gradient_int8(const int8_t *row, const float *target, float *out_row,
                                                      int32_t x0, int32_t x1,
                                                      const tinycc_squared_error_shape *shape,
                                                      const tinycc_squared_error_data *data)
{
    (void)shape;
    for (int32_t i = x0; i < x1; ++i) {
        const float error = (float)(row[i] - data->zero_point) * data->scale - target[i];
        out_row[i] = error * data->factor;
    }
}

#endif
