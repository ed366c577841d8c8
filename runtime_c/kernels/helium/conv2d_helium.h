/* The convolution of conv2d.h for Helium, without groups.
 *
 * rows[j] is the input row under kernel row j, NULL for padding; a row is [width][channels]. bias has the
 * input's zero point folded in, so padding counts as the zero point. The windows of two output pixels are
 * laid out one after the other and multiplied by the weights. Aliasing: two output pixels at a time, in
 * ascending order; they are written once their windows are read. Reference: TFLite int8 specification,
 * CONV_2D. */
#ifndef TINYCC_CONV2D_HELIUM_H
#define TINYCC_CONV2D_HELIUM_H

#include "helium_matrix.h"

/* Bytes of windows that the stack holds, an even number of them; scratch memory holds two. */
#define TINYCC_CONV2D_STACK 256

typedef struct {
    int32_t input_width;
    int32_t input_channels;
    int32_t kernel_height;
    int32_t kernel_width;
    int32_t stride_width;
    int32_t dilation_width;
    int32_t pad_left;
    tinycc_matrix_shape matrix; /* inputs: elements of a window, up to a multiple of 8 */
} tinycc_conv2d_helium_shape;

typedef struct {
    tinycc_matrix_data matrix;
    int8_t input_zero_point;
} tinycc_conv2d_helium_data;

/* The taps of a window, one kernel row after the other, from column `left` on; the first `before` and the
 * last `after` of each row are padding. */
TINYCC_INLINE void tinycc_conv2d_lay_out_rows(int8_t *window, const int8_t *const *rows, int32_t left,
                                              int32_t before, int32_t after,
                                              const tinycc_conv2d_helium_shape *shape, int32_t zero_point)
{
    const int32_t channels = shape->input_channels;
    const int32_t taken = shape->kernel_width - before - after;
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        const int8_t *const row = rows[j];
        if (row == NULL) {
            tinycc_fill(window, zero_point, shape->kernel_width * channels);
        } else {
            int8_t *out = window;
            if (before > 0) {
                tinycc_fill(out, zero_point, before * channels);
                out += before * channels;
            }
            tinycc_copy(out, row + (left + before) * channels, taken * channels);
            if (after > 0) {
                tinycc_fill(out + taken * channels, zero_point, after * channels);
            }
        }
        window += shape->kernel_width * channels;
    }
}

/* The same where neighbouring taps are not neighbouring columns. */
TINYCC_INLINE void tinycc_conv2d_lay_out_taps(int8_t *window, const int8_t *const *rows, int32_t left,
                                              const tinycc_conv2d_helium_shape *shape, int32_t zero_point)
{
    const int32_t channels = shape->input_channels;
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        for (int32_t k = 0; k < shape->kernel_width; ++k) {
            const int32_t column = left + k * shape->dilation_width;
            if (rows[j] == NULL || column < 0 || column >= shape->input_width) {
                tinycc_fill(window, zero_point, channels);
            } else {
                tinycc_copy(window, rows[j] + column * channels, channels);
            }
            window += channels;
        }
    }
}

/* The window that starts in column `left`, one kernel row after the other, and zeros. */
TINYCC_INLINE void tinycc_conv2d_lay_out(int8_t *window, const int8_t *const *rows, int32_t left,
                                         const tinycc_conv2d_helium_shape *shape, int32_t zero_point)
{
    const int32_t width = shape->kernel_width;
    const int32_t taps = shape->kernel_height * width * shape->input_channels;
    if (shape->dilation_width > 1) {
        tinycc_conv2d_lay_out_taps(window, rows, left, shape, zero_point);
    } else if (left >= 0 && left + width <= shape->input_width) {
        tinycc_conv2d_lay_out_rows(window, rows, left, 0, 0, shape, zero_point);
    } else {
        const int32_t before = tinycc_clamp(-left, 0, width);
        const int32_t after = tinycc_clamp(left + width - shape->input_width, 0, width - before);
        tinycc_conv2d_lay_out_rows(window, rows, left, before, after, shape, zero_point);
    }
    tinycc_fill(window + taps, 0, shape->matrix.inputs - taps);
}

/* windows: memory for `most` of them. */
TINYCC_INLINE void tinycc_conv2d_row(const int8_t *const *rows, int8_t *out_row, int8_t *windows,
                                     int32_t most, int32_t x0, int32_t x1,
                                     const tinycc_conv2d_helium_shape *shape,
                                     const tinycc_conv2d_helium_data *data)
{
    for (int32_t x = x0; x < x1; x += most) {
        const int32_t pixels = most < x1 - x ? most : x1 - x;
        for (int32_t p = 0; p < pixels; ++p) {
            tinycc_conv2d_lay_out(windows + p * shape->matrix.inputs, rows,
                                  (x + p) * shape->stride_width - shape->pad_left, shape,
                                  data->input_zero_point);
        }
        tinycc_matrix(windows, out_row + x * shape->matrix.outputs, pixels, &shape->matrix, &data->matrix);
    }
}

TINYCC_INLINE void tinycc_conv2d_helium_int8(const int8_t *const *rows, int8_t *out_row, int32_t x0,
                                             int32_t x1, const tinycc_conv2d_helium_shape *shape,
                                             const tinycc_conv2d_helium_data *data)
{
    int8_t windows[TINYCC_CONV2D_STACK];
    const int32_t most = TINYCC_CONV2D_STACK / (2 * shape->matrix.inputs) * 2;
    tinycc_conv2d_row(rows, out_row, windows, most, x0, x1, shape, data);
}

TINYCC_INLINE void tinycc_conv2d_helium_scratch_int8(const int8_t *const *rows, int8_t *out_row,
                                                     void *scratch, int32_t x0, int32_t x1,
                                                     const tinycc_conv2d_helium_shape *shape,
                                                     const tinycc_conv2d_helium_data *data)
{
    tinycc_conv2d_row(rows, out_row, (int8_t *)scratch, 2, x0, x1, shape, data);
}

#endif
