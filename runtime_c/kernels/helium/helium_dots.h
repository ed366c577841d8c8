/* Dot products of one or two inputs with four rows of weights.
 *
 * Weights are packed in the order in which vectors are filled: 16 elements of each of the four rows, then
 * the next 16; of what is left 8 elements of each row; of what is then left, filled up with zeros, 8 again. A
 * call moves the pointer on. */
#ifndef TINYCC_HELIUM_DOTS_H
#define TINYCC_HELIUM_DOTS_H

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

/* The counts that are worth code of their own, and the one that is not known. */
#define TINYCC_DOT_COUNTS(fixed, counted, step16, step8, rest, zeros)                                        \
    if (inputs == 8) {                                                                                       \
        fixed(step8("]", "vmladav"));                                                                        \
    } else if (inputs == 16) {                                                                               \
        fixed(step16("]", "vmladav"));                                                                       \
    } else if (inputs == 24) {                                                                               \
        fixed(step16("]", "vmladav") step8(", #16]", "vmladava"));                                           \
    } else if (inputs == 32) {                                                                               \
        fixed(step16("]", "vmladav") step16(", #16]", "vmladava"));                                          \
    } else if (inputs == 40) {                                                                               \
        fixed(step16("]", "vmladav") step16(", #16]", "vmladava") step8(", #32]", "vmladava"));              \
    } else if (inputs == 48) {                                                                               \
        fixed(step16("]", "vmladav") step16(", #16]", "vmladava") step16(", #32]", "vmladava"));             \
    } else if (inputs == 64) {                                                                               \
        fixed(step16("]", "vmladav") step16(", #16]", "vmladava") step16(", #32]", "vmladava")               \
                  step16(", #48]", "vmladava"));                                                             \
    } else {                                                                                                 \
        counted(TINYCC_DOT_COUNTED(step16, step8, rest, zeros));                                             \
    }

/* The sums of four rows times `inputs` elements at `a`. */
TINYCC_INLINE tinycc_lanes tinycc_dots(const int8_t *a, const int8_t **weights, int32_t inputs)
{
    tinycc_lanes sums;
    const int8_t *next = *weights;
    int32_t count = inputs;
#define TINYCC_CLOBBERED "r0", "r2", "r4", "r6", "q0", "q2", "cc", "memory"
#define TINYCC_FIXED(text)                                                                                   \
    __asm__ volatile(text TINYCC_MOVE_LANES("sums", "r0", "r2", "r4", "r6")                                  \
                     : [sums] "=&w"(sums), [weights] "+l"(next)                                              \
                     : [a] "l"(a)                                                                            \
                     : TINYCC_CLOBBERED)
#define TINYCC_COUNTED(text)                                                                                 \
    __asm__ volatile(text TINYCC_MOVE_LANES("sums", "r0", "r2", "r4", "r6")                                  \
                     : [sums] "=&w"(sums), [a] "+l"(a), [weights] "+l"(next), [count] "+r"(count)            \
                     :                                                                                       \
                     : TINYCC_CLOBBERED)
    TINYCC_DOT_COUNTS(TINYCC_FIXED, TINYCC_COUNTED, TINYCC_DOT16, TINYCC_DOT8, TINYCC_DOT_REST,
                      TINYCC_DOT_ZEROS)
#undef TINYCC_CLOBBERED
#undef TINYCC_FIXED
#undef TINYCC_COUNTED
    (void)count;
    *weights = next;
    return sums;
}

/* The same, without a loop where the compiler knows a number of inputs that is not too large for that. */
TINYCC_INLINE tinycc_lanes tinycc_dots_unrolled(const int8_t *a, const int8_t **weights, int32_t inputs)
{
    if (!TINYCC_IS_CONSTANT(inputs) || inputs % 8 != 0 || inputs < 16 || inputs > 128) {
        return tinycc_dots(a, weights, inputs);
    }
    tinycc_lanes sums;
    const int8_t *next = *weights;
    __asm__ volatile(
        TINYCC_DOT16("], #16", "vmladav") ".rept %c[more]\n\t" TINYCC_DOT16(
            "], #16",
            "vmladava") ".endr\n\t.rept %c[half]\n\t" TINYCC_DOT8("]", "vmladava") ".endr\n"
                                                                                   "\t" TINYCC_MOVE_LANES("su"
                                                                                                          "m"
                                                                                                          "s",
                                                                                                          "r"
                                                                                                          "0",
                                                                                                          "r"
                                                                                                          "2",
                                                                                                          "r"
                                                                                                          "4",
                                                                                                          "r"
                                                                                                          "6")
        : [sums] "=&w"(sums), [a] "+l"(a), [weights] "+l"(next)
        : [more] "i"(inputs / 16 - 1), [half] "i"(inputs / 8 % 2)
        : "r0", "r2", "r4", "r6", "q0", "q2", "cc", "memory");
    *weights = next;
    return sums;
}

/* The same for a second input at `b`. */
TINYCC_INLINE void tinycc_dots_pair(tinycc_lanes *sums_a, tinycc_lanes *sums_b, const int8_t *a,
                                    const int8_t *b, const int8_t **weights, int32_t inputs)
{
    tinycc_lanes first, second;
    const int8_t *next = *weights;
    int32_t count = inputs;
#define TINYCC_CLOBBERED "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "q0", "q1", "q2", "cc", "memory"
#define TINYCC_MOVE_BOTH                                                                                     \
    TINYCC_MOVE_LANES("first", "r0", "r2", "r4", "r6")                                                       \
    TINYCC_MOVE_LANES("second", "r8", "r10", "r12", "lr")
#define TINYCC_FIXED(text)                                                                                   \
    __asm__ volatile(text TINYCC_MOVE_BOTH                                                                   \
                     : [first] "=&w"(first), [second] "=&w"(second), [weights] "+l"(next)                    \
                     : [a] "l"(a), [b] "l"(b)                                                                \
                     : TINYCC_CLOBBERED)
#define TINYCC_COUNTED(text)                                                                                 \
    __asm__ volatile(text TINYCC_MOVE_BOTH                                                                   \
                     : [first] "=&w"(first), [second] "=&w"(second), [a] "+l"(a), [b] "+l"(b),               \
                       [weights] "+l"(next), [count] "+r"(count)                                             \
                     :                                                                                       \
                     : TINYCC_CLOBBERED)
    TINYCC_DOT_COUNTS(TINYCC_FIXED, TINYCC_COUNTED, TINYCC_DOT_PAIR16, TINYCC_DOT_PAIR8, TINYCC_DOT_PAIR_REST,
                      TINYCC_DOT_PAIR_ZEROS)
#undef TINYCC_CLOBBERED
#undef TINYCC_MOVE_BOTH
#undef TINYCC_FIXED
#undef TINYCC_COUNTED
    (void)count;
    *weights = next;
    *sums_a = first;
    *sums_b = second;
}

#else

TINYCC_INLINE tinycc_lanes tinycc_dots(const int8_t *a, const int8_t **weights, int32_t inputs)
{
    tinycc_lanes sums = {{0, 0, 0, 0}};
    for (int32_t i = 0; i < inputs;) {
        const int32_t step = inputs - i >= 16 ? 16 : 8;
        for (int32_t k = 0; k < TINYCC_LANES; ++k) {
            for (int32_t j = 0; j < step && i + j < inputs; ++j) {
                sums.lane[k] += a[i + j] * (*weights)[k * step + j];
            }
        }
        *weights += TINYCC_LANES * step;
        i += step;
    }
    return sums;
}

TINYCC_INLINE tinycc_lanes tinycc_dots_unrolled(const int8_t *a, const int8_t **weights, int32_t inputs)
{
    return tinycc_dots(a, weights, inputs);
}

TINYCC_INLINE void tinycc_dots_pair(tinycc_lanes *sums_a, tinycc_lanes *sums_b, const int8_t *a,
                                    const int8_t *b, const int8_t **weights, int32_t inputs)
{
    const int8_t *start = *weights;
    *sums_a = tinycc_dots(a, &start, inputs);
    *sums_b = tinycc_dots(b, weights, inputs);
}

#endif

#endif
