/* The int8 pooling of pool2d.h for Helium; windows of at most 256 taps are averaged.
 *
 * rows[j] is the input row under kernel row j, NULL outside; a row is [width][channels]. Aliasing: output
 * pixels in ascending order, of each eight (average) or sixteen (maximum) channels at a time; they are
 * written once all their taps are read. Reference: TFLite int8 specification, AVERAGE_POOL_2D and
 * MAX_POOL_2D. */
#ifndef TINYCC_POOL2D_HELIUM_H
#define TINYCC_POOL2D_HELIUM_H

#include "helium_channels.h"
#include "pool2d.h"

/* The columns of a window that lie in the input. */
typedef struct {
    int32_t first;
    int32_t count;
} tinycc_pool2d_columns;

TINYCC_INLINE tinycc_pool2d_columns tinycc_pool2d_inside(int32_t x, const tinycc_pool2d_shape *shape)
{
    tinycc_pool2d_columns columns = {x * shape->stride_width - shape->pad_left, 0};
    int32_t taps = shape->kernel_width;
    for (; taps > 0 && columns.first < 0; --taps) {
        columns.first += shape->dilation_width;
    }
    for (int32_t column = columns.first; columns.count < taps && column < shape->input_width;
         column += shape->dilation_width) {
        ++columns.count;
    }
    return columns;
}

/* The means of `count` channels, at most eight. */
TINYCC_INLINE void tinycc_average_pool2d_channels(const int8_t *const *rows, int8_t *output, int32_t channel,
                                                  int32_t count, tinycc_pool2d_columns columns,
                                                  const tinycc_pool2d_shape *shape,
                                                  const tinycc_pool2d_data *data)
{
    const int32_t step = shape->dilation_width * shape->input_channels;
    tinycc_channel_sums sums = tinycc_no_sums();
    int32_t taps = 0;
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        if (rows[j] != NULL) {
            const int8_t *in = rows[j] + columns.first * shape->input_channels + channel;
            for (int32_t k = 0; k < columns.count; ++k) {
                sums = tinycc_sum_channels(sums, in, count);
                in += step;
            }
            taps += columns.count;
        }
    }
    int16_t each[TINYCC_SUMMED_CHANNELS];
    tinycc_store_sums(each, sums);
    for (int32_t c = 0; c < count; ++c) {
        const int32_t mean = tinycc_pool2d_mean(each[c], taps, shape, data);
        output[c] = (int8_t)tinycc_clamp(mean, data->output_min, data->output_max);
    }
}

TINYCC_INLINE void tinycc_average_pool2d_helium_int8(const int8_t *const *rows, int8_t *out_row, int32_t x0,
                                                     int32_t x1, const tinycc_pool2d_shape *shape,
                                                     const tinycc_pool2d_data *data)
{
    const int32_t channels = shape->input_channels;
    const int32_t whole = channels / TINYCC_SUMMED_CHANNELS * TINYCC_SUMMED_CHANNELS;
    for (int32_t x = x0; x < x1; ++x) {
        const tinycc_pool2d_columns columns = tinycc_pool2d_inside(x, shape);
        int8_t *output = out_row + x * channels;
        for (int32_t c = 0; c < whole; c += TINYCC_SUMMED_CHANNELS) {
            tinycc_average_pool2d_channels(rows, output + c, c, TINYCC_SUMMED_CHANNELS, columns, shape, data);
        }
        if (whole < channels) {
            tinycc_average_pool2d_channels(rows, output + whole, whole, channels - whole, columns, shape,
                                           data);
        }
    }
}

/* The maxima of `count` channels, at most sixteen. */
TINYCC_INLINE void tinycc_max_pool2d_channels(const int8_t *const *rows, int8_t *output, int32_t channel,
                                              int32_t count, tinycc_pool2d_columns columns,
                                              const tinycc_pool2d_shape *shape)
{
    const int32_t step = shape->dilation_width * shape->input_channels;
    tinycc_channel_maxima maxima = tinycc_least_maxima();
    for (int32_t j = 0; j < shape->kernel_height; ++j) {
        if (rows[j] != NULL) {
            const int8_t *in = rows[j] + columns.first * shape->input_channels + channel;
            for (int32_t k = 0; k < columns.count; ++k) {
                maxima = tinycc_compare_channels(maxima, in, count);
                in += step;
            }
        }
    }
    tinycc_store_maxima(output, maxima, count);
}

TINYCC_INLINE void tinycc_max_pool2d_helium_int8(const int8_t *const *rows, int8_t *out_row, int32_t x0,
                                                 int32_t x1, const tinycc_pool2d_shape *shape,
                                                 const tinycc_pool2d_data *data)
{
    const int32_t channels = shape->input_channels;
    const int32_t whole = channels / TINYCC_COMPARED_CHANNELS * TINYCC_COMPARED_CHANNELS;
    (void)data;
    for (int32_t x = x0; x < x1; ++x) {
        const tinycc_pool2d_columns columns = tinycc_pool2d_inside(x, shape);
        int8_t *output = out_row + x * channels;
        for (int32_t c = 0; c < whole; c += TINYCC_COMPARED_CHANNELS) {
            tinycc_max_pool2d_channels(rows, output + c, c, TINYCC_COMPARED_CHANNELS, columns, shape);
        }
        if (whole < channels) {
            tinycc_max_pool2d_channels(rows, output + whole, whole, channels - whole, columns, shape);
        }
    }
}

#endif
