/* Expressions of float32 tensors, element by element: the compiler writes the kernels, as in
 *
 *   out[x][c] = tinycc_sigmoid(a[x][c] + b[c])
 *
 * Inputs may be broadcast over pixels or channels. Aliasing: elements in ascending order, each written once
 * the inputs' elements are read; in place over any input that is not broadcast is right. */
#ifndef TINYCC_EXPRESSION_H
#define TINYCC_EXPRESSION_H

#include "../shared/float_functions.h"

typedef struct {
    int32_t channels;
} tinycc_expression_shape;

typedef struct {
    int32_t zero; /* Unused; a structure needs a member. */
} tinycc_expression_data;

#endif
