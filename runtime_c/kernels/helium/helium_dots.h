/* Dot products of one or two inputs with four rows of weights.
 *
 * Weights are packed in the order in which vectors are filled: 16 elements of each of the four rows, then
 * the next 16; of what is left 8 elements of each row; of what is then left, filled up with zeros, 8 again. A
 * call moves the pointer on.
 *
 * weight_bits: 8, or 4, where each byte is an element of two rows, that of the first in its lower half: rows
 * 0 and 1, then rows 2 and 3. */
#ifndef TINYCC_HELIUM_DOTS_H
#define TINYCC_HELIUM_DOTS_H

#include "../shared/weights.h"
#include "helium.h"

/* Elements that the shorter step takes in. */
#define TINYCC_DOT_STEP 8

/* Weights of a row of so many, with the zeros at its end. */
TINYCC_INLINE int32_t tinycc_dot_weights(int32_t inputs)
{
    return (inputs + TINYCC_DOT_STEP - 1) / TINYCC_DOT_STEP * TINYCC_DOT_STEP;
}

#if TINYCC_MVE

/* The sums are in r0, r2, r4, r6 and, for the second input, r8, r10, r12, r14: the instruction takes even
 * registers only, and the compiler would move them around. `op` is vmladav for the first elements,
 * vmladava for more. */
#define TINYCC_MOVE_LANES(lanes, s0, s1, s2, s3)                                                             \
    "vmov %e[" lanes "], " s0 ", " s1 "\n\tvmov %f[" lanes "], " s2 ", " s3 "\n\t"

#define TINYCC_DOT_ROW(load, type, step, op, s)                                                              \
    load " q2, [%[weights]], #" step "\n\t" op "." type " " s ", q0, q2\n\t"
#define TINYCC_DOT_ROWS(load, type, step, op)                                                                \
    TINYCC_DOT_ROW(load, type, step, op, "r0")                                                               \
    TINYCC_DOT_ROW(load, type, step, op, "r2")                                                               \
    TINYCC_DOT_ROW(load, type, step, op, "r4")                                                               \
    TINYCC_DOT_ROW(load, type, step, op, "r6")
#define TINYCC_DOT16(at, op) "vldrb.8 q0, [%[a]" at "\n\t" TINYCC_DOT_ROWS("vldrb.8", "s8", "16", op)
#define TINYCC_DOT8(at, op) "vldrb.s16 q0, [%[a]" at "\n\t" TINYCC_DOT_ROWS("vldrb.s16", "s16", "8", op)
#define TINYCC_DOT_REST(op)                                                                                  \
    "vctp.16 %[count]\n\tvpst\n\tvldrbt.s16 q0, [%[a]]\n\t" TINYCC_DOT_ROWS("vldrb.s16", "s16", "8", op)

#define TINYCC_DOT_PAIR_ROW(load, type, step, op, s, t)                                                      \
    TINYCC_DOT_ROW(load, type, step, op, s) op "." type " " t ", q1, q2\n\t"
#define TINYCC_DOT_PAIR_ROWS(load, type, step, op)                                                           \
    TINYCC_DOT_PAIR_ROW(load, type, step, op, "r0", "r8")                                                    \
    TINYCC_DOT_PAIR_ROW(load, type, step, op, "r2", "r10")                                                   \
    TINYCC_DOT_PAIR_ROW(load, type, step, op, "r4", "r12")                                                   \
    TINYCC_DOT_PAIR_ROW(load, type, step, op, "r6", "lr")
#define TINYCC_DOT_PAIR16(at, op)                                                                            \
    "vldrb.8 q0, [%[a]" at "\n\tvldrb.8 q1, [%[b]" at "\n\t" TINYCC_DOT_PAIR_ROWS("vldrb.8", "s8", "16", op)
#define TINYCC_DOT_PAIR8(at, op)                                                                             \
    "vldrb.s16 q0, [%[a]" at "\n\tvldrb.s16 q1, [%[b]" at                                                    \
    "\n\t" TINYCC_DOT_PAIR_ROWS("vldrb.s16", "s16", "8", op)
#define TINYCC_DOT_PAIR_REST(op)                                                                             \
    "vctp.16 %[count]\n\tvpstt\n\tvldrbt.s16 q0, [%[a]]\n\tvldrbt.s16 q1, [%[b]]\n\t" TINYCC_DOT_PAIR_ROWS(  \
        "vldrb.s16", "s16", "8", op)

/* With weights of four bits, of which one load has two rows. They are put into the upper halves of bytes for
 * the first row, whose sum comes out 16 times as large, and alone into the lower ones for the second. Of 8
 * elements every other byte is 0, of which the weight does not matter. */
#define TINYCC_DOT_SPLIT(load, step)                                                                         \
    load " q2, [%[weights]], #" step "\n\tvshl.i8 q3, q2, #4\n\tvshr.s8 q2, q2, #4\n\t"
#define TINYCC_NARROW_ROWS(load, step, op)                                                                   \
    TINYCC_DOT_SPLIT(load, step)                                                                             \
    op ".s8 r0, q0, q3\n\t" op ".s8 r2, q0, q2\n\t" TINYCC_DOT_SPLIT(load, step) op ".s8 r4, q0, q3\n\t" op  \
                                                                                    ".s8 r6, q0, q2\n\t"
#define TINYCC_NARROW16(at, op) "vldrb.8 q0, [%[a]" at "\n\t" TINYCC_NARROW_ROWS("vldrb.8", "16", op)
#define TINYCC_NARROW8(at, op) "vldrb.u16 q0, [%[a]" at "\n\t" TINYCC_NARROW_ROWS("vldrb.u16", "8", op)
#define TINYCC_NARROW_REST(op)                                                                               \
    "vctp.16 %[count]\n\tvpst\n\tvldrbt.u16 q0, [%[a]]\n\t" TINYCC_NARROW_ROWS("vldrb.u16", "8", op)

#define TINYCC_NARROW_PAIR_ROW(q, op, s, t) op ".s8 " s ", q0, " q "\n\t" op ".s8 " t ", q1, " q "\n\t"
#define TINYCC_NARROW_PAIR_ROWS(load, step, op)                                                              \
    TINYCC_DOT_SPLIT(load, step)                                                                             \
    TINYCC_NARROW_PAIR_ROW("q3", op, "r0", "r8")                                                             \
    TINYCC_NARROW_PAIR_ROW("q2", op, "r2", "r10")                                                            \
    TINYCC_DOT_SPLIT(load, step)                                                                             \
    TINYCC_NARROW_PAIR_ROW("q3", op, "r4", "r12")                                                            \
    TINYCC_NARROW_PAIR_ROW("q2", op, "r6", "lr")
#define TINYCC_NARROW_PAIR16(at, op)                                                                         \
    "vldrb.8 q0, [%[a]" at "\n\tvldrb.8 q1, [%[b]" at "\n\t" TINYCC_NARROW_PAIR_ROWS("vldrb.8", "16", op)
#define TINYCC_NARROW_PAIR8(at, op)                                                                          \
    "vldrb.u16 q0, [%[a]" at "\n\tvldrb.u16 q1, [%[b]" at "\n\t" TINYCC_NARROW_PAIR_ROWS("vldrb.u16", "8", op)
#define TINYCC_NARROW_PAIR_REST(op)                                                                          \
    "vctp.16 %[count]\n\tvpstt\n\tvldrbt.u16 q0, [%[a]]\n\tvldrbt.u16 q1, "                                  \
    "[%[b]]\n\t" TINYCC_NARROW_PAIR_ROWS("vldrb.u16", "8", op)

#define TINYCC_NARROW_ZEROS TINYCC_DOT_ZEROS
#define TINYCC_NARROW_PAIR_ZEROS TINYCC_DOT_PAIR_ZEROS

/* For a count that is only known at run time: by 32 elements, then by the lowest bits of the count. */
#define TINYCC_DOT_COUNTED(step16, step8, rest, zeros)                                                       \
    "subs %[count], #32\n\tblt 1f\n\t" step16(                                                               \
        "], #16",                                                                                            \
        "vmladav") "b 3f\n"                                                                                  \
                   "1:\n\t" zeros "b 4f\n"                                                                   \
                   "2:\n\t" step16("], #16", "vmladava") "3:\n\t" step16(                                    \
                       "], #16",                                                                             \
                       "vmladava") "subs %[count], #32\n\tbge 2b\n"                                          \
                                   "4:\n\tlsls %[count], #28\n\tbcc 5f\n\t" step16(                          \
                                       "], #16",                                                             \
                                       "vmladava") "5:\n\tbpl 6f\n\t" step8("], #8",                         \
                                                                            "vmladava") "6:\n\tlsls "        \
                                                                                        "%[count], "         \
                                                                                        "#1\n\tbeq "         \
                                                                                        "7f\n\tlsrs "        \
                                                                                        "%[count], "         \
                                                                                        "#29\n\t" rest(      \
                                                                                            "vml"            \
                                                                                            "ada"            \
                                                                                            "va") "7:\n\t"
#define TINYCC_DOT_ZEROS "movs r0, #0\n\tmovs r2, #0\n\tmovs r4, #0\n\tmovs r6, #0\n\t"
#define TINYCC_DOT_PAIR_ZEROS TINYCC_DOT_ZEROS "mov r8, #0\n\tmov r10, #0\n\tmov r12, #0\n\tmov lr, #0\n\t"

/* What follows the sums, and what all of it writes. */
#define TINYCC_DOT_END ""
#define TINYCC_DOT_PAIR_END ""
#define TINYCC_DOT_CLOBBERED "r0", "r2", "r4", "r6", "q0", "q2", "cc", "memory"
#define TINYCC_DOT_PAIR_CLOBBERED TINYCC_DOT_CLOBBERED, "r8", "r10", "r12", "lr", "q1"
#define TINYCC_NARROW_END "asrs r0, r0, #4\n\tasrs r4, r4, #4\n\t"
#define TINYCC_NARROW_PAIR_END TINYCC_NARROW_END "asr r8, r8, #4\n\tasr r12, r12, #4\n\t"
#define TINYCC_NARROW_CLOBBERED TINYCC_DOT_CLOBBERED, "q3"
#define TINYCC_NARROW_PAIR_CLOBBERED TINYCC_DOT_PAIR_CLOBBERED, "q3"

/* The counts that are worth code of their own, and the one that is not known; kind: DOT or NARROW, or a
 * _PAIR of them. */
#define TINYCC_DOT_COUNTS(fixed, counted, kind, step16, step8)                                               \
    if (inputs == 8) {                                                                                       \
        fixed(kind, step8("]", "vmladav"));                                                                  \
    } else if (inputs == 16) {                                                                               \
        fixed(kind, step16("]", "vmladav"));                                                                 \
    } else if (inputs == 24) {                                                                               \
        fixed(kind, step16("]", "vmladav") step8(", #16]", "vmladava"));                                     \
    } else if (inputs == 32) {                                                                               \
        fixed(kind, step16("]", "vmladav") step16(", #16]", "vmladava"));                                    \
    } else if (inputs == 40) {                                                                               \
        fixed(kind, step16("]", "vmladav") step16(", #16]", "vmladava") step8(", #32]", "vmladava"));        \
    } else if (inputs == 48) {                                                                               \
        fixed(kind, step16("]", "vmladav") step16(", #16]", "vmladava") step16(", #32]", "vmladava"));       \
    } else if (inputs == 64) {                                                                               \
        fixed(kind, step16("]", "vmladav") step16(", #16]", "vmladava") step16(", #32]", "vmladava")         \
                        step16(", #48]", "vmladava"));                                                       \
    } else {                                                                                                 \
        counted(kind, TINYCC_DOT_COUNTED(step16, step8, TINYCC_##kind##_REST, TINYCC_##kind##_ZEROS));       \
    }

/* The sums of four rows times `inputs` elements at `a`. */
TINYCC_INLINE tinycc_lanes tinycc_dots(const int8_t *a, const int8_t **weights, int32_t inputs,
                                       int weight_bits)
{
    tinycc_lanes sums;
    const int8_t *next = *weights;
    int32_t count = inputs;
#define TINYCC_FIXED(kind, text)                                                                             \
    __asm__ volatile(text TINYCC_##kind##_END TINYCC_MOVE_LANES("sums", "r0", "r2", "r4", "r6")              \
                     : [sums] "=&w"(sums), [weights] "+l"(next)                                              \
                     : [a] "l"(a)                                                                            \
                     : TINYCC_##kind##_CLOBBERED)
#define TINYCC_COUNTED(kind, text)                                                                           \
    __asm__ volatile(text TINYCC_##kind##_END TINYCC_MOVE_LANES("sums", "r0", "r2", "r4", "r6")              \
                     : [sums] "=&w"(sums), [a] "+l"(a), [weights] "+l"(next), [count] "+r"(count)            \
                     :                                                                                       \
                     : TINYCC_##kind##_CLOBBERED)
    if (weight_bits == 4) {
        TINYCC_DOT_COUNTS(TINYCC_FIXED, TINYCC_COUNTED, NARROW, TINYCC_NARROW16, TINYCC_NARROW8)
    } else {
        TINYCC_DOT_COUNTS(TINYCC_FIXED, TINYCC_COUNTED, DOT, TINYCC_DOT16, TINYCC_DOT8)
    }
#undef TINYCC_FIXED
#undef TINYCC_COUNTED
    (void)count;
    *weights = next;
    return sums;
}

/* The same, without a loop where the compiler knows a number of inputs that is not too large for that. */
TINYCC_INLINE tinycc_lanes tinycc_dots_unrolled(const int8_t *a, const int8_t **weights, int32_t inputs,
                                                int weight_bits)
{
    if (!TINYCC_IS_CONSTANT(inputs) || inputs % 8 != 0 || inputs < 16 || inputs > 128) {
        return tinycc_dots(a, weights, inputs, weight_bits);
    }
    tinycc_lanes sums;
    const int8_t *next = *weights;
#define TINYCC_UNROLLED(kind, step16, step8)                                                                 \
    __asm__ volatile(                                                                                        \
        step16("], #16", "vmladav") ".rept %c[more]\n\t" step16(                                             \
            "], #16",                                                                                        \
            "vmladava") ".endr\n\t.rept %c[half]\n\t" step8("]", "vmladava") ".endr\n\t" TINYCC_##kind##_END \
            TINYCC_MOVE_LANES("sums", "r0", "r2", "r4", "r6")                                                \
        : [sums] "=&w"(sums), [a] "+l"(a), [weights] "+l"(next)                                              \
        : [more] "i"(inputs / 16 - 1), [half] "i"(inputs / 8 % 2)                                            \
        : TINYCC_##kind##_CLOBBERED)
    if (weight_bits == 4) {
        TINYCC_UNROLLED(NARROW, TINYCC_NARROW16, TINYCC_NARROW8);
    } else {
        TINYCC_UNROLLED(DOT, TINYCC_DOT16, TINYCC_DOT8);
    }
#undef TINYCC_UNROLLED
    *weights = next;
    return sums;
}

/* The same for a second input at `b`. */
TINYCC_INLINE void tinycc_dots_pair(tinycc_lanes *sums_a, tinycc_lanes *sums_b, const int8_t *a,
                                    const int8_t *b, const int8_t **weights, int32_t inputs, int weight_bits)
{
    tinycc_lanes first, second;
    const int8_t *next = *weights;
    int32_t count = inputs;
#define TINYCC_MOVE_BOTH                                                                                     \
    TINYCC_MOVE_LANES("first", "r0", "r2", "r4", "r6")                                                       \
    TINYCC_MOVE_LANES("second", "r8", "r10", "r12", "lr")
#define TINYCC_FIXED(kind, text)                                                                             \
    __asm__ volatile(text TINYCC_##kind##_END TINYCC_MOVE_BOTH                                               \
                     : [first] "=&w"(first), [second] "=&w"(second), [weights] "+l"(next)                    \
                     : [a] "l"(a), [b] "l"(b)                                                                \
                     : TINYCC_##kind##_CLOBBERED)
#define TINYCC_COUNTED(kind, text)                                                                           \
    __asm__ volatile(text TINYCC_##kind##_END TINYCC_MOVE_BOTH                                               \
                     : [first] "=&w"(first), [second] "=&w"(second), [a] "+l"(a), [b] "+l"(b),               \
                       [weights] "+l"(next), [count] "+r"(count)                                             \
                     :                                                                                       \
                     : TINYCC_##kind##_CLOBBERED)
    if (weight_bits == 4) {
        TINYCC_DOT_COUNTS(TINYCC_FIXED, TINYCC_COUNTED, NARROW_PAIR, TINYCC_NARROW_PAIR16,
                          TINYCC_NARROW_PAIR8)
    } else {
        TINYCC_DOT_COUNTS(TINYCC_FIXED, TINYCC_COUNTED, DOT_PAIR, TINYCC_DOT_PAIR16, TINYCC_DOT_PAIR8)
    }
#undef TINYCC_MOVE_BOTH
#undef TINYCC_FIXED
#undef TINYCC_COUNTED
    (void)count;
    *weights = next;
    *sums_a = first;
    *sums_b = second;
}

#else

/* An element of a row, of `step` that were packed together. */
TINYCC_INLINE int32_t tinycc_dot_weight(const int8_t *weights, int32_t row, int32_t element, int32_t step,
                                        int weight_bits)
{
    if (weight_bits == 8) {
        return weights[row * step + element];
    }
    const int8_t both = weights[row / 2 * step + element];
    return row % 2 ? tinycc_high_half(both) : tinycc_low_half(both);
}

TINYCC_INLINE tinycc_lanes tinycc_dots(const int8_t *a, const int8_t **weights, int32_t inputs,
                                       int weight_bits)
{
    tinycc_lanes sums = {{0, 0, 0, 0}};
    for (int32_t i = 0; i < inputs;) {
        const int32_t step = inputs - i >= 16 ? 16 : 8;
        for (int32_t k = 0; k < TINYCC_LANES; ++k) {
            for (int32_t j = 0; j < step && i + j < inputs; ++j) {
                sums.lane[k] += a[i + j] * tinycc_dot_weight(*weights, k, j, step, weight_bits);
            }
        }
        *weights += TINYCC_LANES * step * weight_bits / 8;
        i += step;
    }
    return sums;
}

TINYCC_INLINE tinycc_lanes tinycc_dots_unrolled(const int8_t *a, const int8_t **weights, int32_t inputs,
                                                int weight_bits)
{
    return tinycc_dots(a, weights, inputs, weight_bits);
}

TINYCC_INLINE void tinycc_dots_pair(tinycc_lanes *sums_a, tinycc_lanes *sums_b, const int8_t *a,
                                    const int8_t *b, const int8_t **weights, int32_t inputs, int weight_bits)
{
    const int8_t *start = *weights;
    *sums_a = tinycc_dots(a, &start, inputs, weight_bits);
    *sums_b = tinycc_dots(b, weights, inputs, weight_bits);
}

#endif

#endif
