/* Products of a tile of pixels with two rows of weights, all of them widened to int16; see dsp.h.
 *
 * For every four taps a pair of pixels has four words, (taps 0 and 1 of them, taps 2 and 3) of the first and
 * of the second, and the two rows have four, taps 0 and 1 of both, then taps 2 and 3. Which taps are called
 * so does not matter as long as pixels and weights agree. Sums wrap. */
#ifndef TINYCC_DSP_TILE_H
#define TINYCC_DSP_TILE_H

#include "dsp.h"

/* Pixels of a tile at most: the more, the less weights cost that are widened for all of them. */
#define TINYCC_DSP_TILE_PIXELS 16

/* `tinycc_dsp_tile_products` uses it up.
 *
 * x, weights: as above, `words` times four words, at least once; of pixels for each pair.
 * sums: of both rows, neighbours, for pixels that are `pitch` bytes apart.
 * first, second: what the sums of the rows begin with. */
typedef struct {
    const uint32_t *x;
    const uint32_t *weights;
    int32_t words;
    int32_t pairs;
    int32_t *sums;
    int32_t pitch;
    int32_t first;
    int32_t second;
} tinycc_dsp_tile;

#if TINYCC_HAS_DSP

/* Every register is in use. r3 and r4: sums of the first pixel, r5 and r6: of the second. r1 pixels, r2
 * weights. On the stack: the argument, where the first turn begins, the end of the pair. A turn is eight
 * times four taps; the first may be less. */
#define TINYCC_DSP_TILE_STEP                                                                                 \
    "ldmia.w r2!, {r0, r7, r8, r9}\n\t"                                                                      \
    "ldmia.w r1!, {r10, r11, r12, lr}\n\t"                                                                   \
    "smlad r3, r10, r0, r3\n\t"                                                                              \
    "smlad r4, r10, r7, r4\n\t"                                                                              \
    "smlad r5, r12, r0, r5\n\t"                                                                              \
    "smlad r6, r12, r7, r6\n\t"                                                                              \
    "smlad r3, r11, r8, r3\n\t"                                                                              \
    "smlad r4, r11, r9, r4\n\t"                                                                              \
    "smlad r5, lr, r8, r5\n\t"                                                                               \
    "smlad r6, lr, r9, r6\n\t"

static __attribute__((naked, noinline, unused)) void tinycc_dsp_tile_products(tinycc_dsp_tile *tile
                                                                              __attribute__((unused)))
{
    __asm__ volatile(
        "push {r4, r5, r6, r7, r8, r9, r10, r11, lr}\n\t"
        "sub sp, #12\n\t"
        "ldr r2, [r0, #8]\n\t"
        "rsbs r2, r2, #0\n\t"
        "and r2, r2, #7\n\t"
        "movs r3, #40\n\t"
        "adr.w r1, 4f\n\t"
        "mla r1, r2, r3, r1\n\t"
        "orr r1, r1, #1\n\t"
        "strd r0, r1, [sp]\n\t"
        "ldr r1, [r0]\n\t"
        "1:\n\t"
        "ldrd r2, r7, [r0, #4]\n\t"
        "add r7, r1, r7, lsl #4\n\t"
        "str r7, [sp, #8]\n\t"
        "ldrd r3, r4, [r0, #24]\n\t"
        "mov r5, r3\n\t"
        "mov r6, r4\n\t"
        "ldr pc, [sp, #4]\n\t"
        "4:\n\t" TINYCC_DSP_TILE_STEP TINYCC_DSP_TILE_STEP TINYCC_DSP_TILE_STEP TINYCC_DSP_TILE_STEP
            TINYCC_DSP_TILE_STEP TINYCC_DSP_TILE_STEP TINYCC_DSP_TILE_STEP TINYCC_DSP_TILE_STEP
        "ldr r0, [sp, #8]\n\t"
        "cmp r1, r0\n\t"
        "bne.w 4b\n\t"
        "ldr r0, [sp]\n\t"
        "ldrd r7, r8, [r0, #16]\n\t"
        "ldr r9, [r0, #12]\n\t"
        "strd r3, r4, [r7]\n\t"
        "add r7, r8\n\t"
        "strd r5, r6, [r7]\n\t"
        "add r7, r8\n\t"
        "subs r9, #1\n\t"
        "strd r9, r7, [r0, #12]\n\t"
        "bne.w 1b\n\t"
        "add sp, #12\n\t"
        "pop {r4, r5, r6, r7, r8, r9, r10, r11, pc}");
}

#else

TINYCC_SHARED void tinycc_dsp_tile_products(tinycc_dsp_tile *tile)
{
    for (; tile->pairs > 0; --tile->pairs) {
        for (int32_t pixel = 0; pixel < 2; ++pixel) {
            const uint32_t *x = tile->x + 2 * pixel, *weights = tile->weights;
            int32_t sums[2] = {tile->first, tile->second};
            for (int32_t i = 0; i < tile->words; ++i) {
                for (int32_t row = 0; row < 2; ++row) {
                    sums[row] = tinycc_dsp_mac(x[0], weights[row], sums[row]);
                    sums[row] = tinycc_dsp_mac(x[1], weights[2 + row], sums[row]);
                }
                x += 4;
                weights += 4;
            }
            memcpy(tile->sums, sums, sizeof sums);
            tile->sums += tile->pitch / (int32_t)sizeof *sums;
        }
        tile->x += 4 * tile->words;
    }
}

#endif

#endif
