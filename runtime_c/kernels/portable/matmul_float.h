/* Product of two matrices of float32 that are both computed at run time.
 *
 *   out[x][o] = clamp(sum_i a[x][i] * b[i][o])
 *
 * a is [vectors][inner], b [inner][outputs]. Aliasing: output must
 * not overlap b; of a vectors are read in ascending order, up to TINYCC_FLOAT_PIXELS neighbours together, and
 * their outputs written while they are read. Reference: ONNX, MatMul. */
#ifndef TINYCC_MATMUL_FLOAT_H
#define TINYCC_MATMUL_FLOAT_H

#include "../shared/float_sums.h"

typedef struct {
    int32_t inner;
    int32_t outputs;
} tinycc_matmul_float_shape;

typedef struct {
    float output_min;
    float output_max;
} tinycc_matmul_float_data;

/* All outputs of `pixels` vectors. */
TINYCC_INLINE void tinycc_matmul_float_vectors(const float *a, const float *b, float *output, int32_t pixels,
                                               const tinycc_matmul_float_shape *shape,
                                               const tinycc_matmul_float_data *data)
{
    static const float none[TINYCC_FLOAT_OUTPUTS] = {0.0f};
    const int32_t whole = shape->outputs / TINYCC_FLOAT_OUTPUTS * TINYCC_FLOAT_OUTPUTS;
    int32_t o = 0;
    for (; o < whole; o += TINYCC_FLOAT_OUTPUTS) {
        float sums[TINYCC_FLOAT_PIXELS][TINYCC_FLOAT_OUTPUTS];
        tinycc_float_sums_begin(sums, pixels, TINYCC_FLOAT_OUTPUTS, none);
        tinycc_float_sums(sums, pixels, TINYCC_FLOAT_OUTPUTS, a, shape->inner, b + o, shape->outputs,
                          shape->inner);
        tinycc_float_sums_end(sums, pixels, TINYCC_FLOAT_OUTPUTS, output + o, shape->outputs,
                              data->output_min, data->output_max);
    }
    for (; o < shape->outputs; ++o) {
        float sums[TINYCC_FLOAT_PIXELS][TINYCC_FLOAT_OUTPUTS];
        tinycc_float_sums_begin(sums, pixels, 1, none);
        tinycc_float_sums(sums, pixels, 1, a, shape->inner, b + o, shape->outputs, shape->inner);
        tinycc_float_sums_end(sums, pixels, 1, output + o, shape->outputs, data->output_min,
                              data->output_max);
    }
}

TINYCC_INLINE void tinycc_matmul_float32(const float *a, const float *b, float *out_row, int32_t x0,
                                         int32_t x1, const tinycc_matmul_float_shape *shape,
                                         const tinycc_matmul_float_data *data)
{
    int32_t x = x0;
    for (; x + TINYCC_FLOAT_PIXELS <= x1; x += TINYCC_FLOAT_PIXELS) {
        tinycc_matmul_float_vectors(a + x * shape->inner, b, out_row + x * shape->outputs,
                                    TINYCC_FLOAT_PIXELS, shape, data);
    }
    for (; x < x1; ++x) {
        tinycc_matmul_float_vectors(a + x * shape->inner, b, out_row + x * shape->outputs, 1, shape, data);
    }
}

#endif
