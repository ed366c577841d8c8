/* Products and sums in the 32 registers of an FPU for single precision.
 *
 * A product is rounded before it is added, so that every machine has the same bits: see -ffp-contract=off. */
#ifndef TINYCC_FPU_H
#define TINYCC_FPU_H

#if defined(__thumb2__) && defined(__ARM_FP) && (__ARM_FP & 4) && defined(__GNUC__)
#define TINYCC_HAS_FPU 1
#else
#define TINYCC_HAS_FPU 0
#endif

/* Four sums += factor * values, by way of s28 to s31, so that none waits for the one before it. */
#define TINYCC_FPU_PRODUCTS(factor, value0, value1, value2, value3, sum0, sum1, sum2, sum3)                  \
    "vmul.f32 s28, " factor ", " value0 "\n\t"                                                               \
    "vmul.f32 s29, " factor ", " value1 "\n\t"                                                               \
    "vmul.f32 s30, " factor ", " value2 "\n\t"                                                               \
    "vmul.f32 s31, " factor ", " value3 "\n\t"                                                               \
    "vadd.f32 " sum0 ", " sum0 ", s28\n\t"                                                                   \
    "vadd.f32 " sum1 ", " sum1 ", s29\n\t"                                                                   \
    "vadd.f32 " sum2 ", " sum2 ", s30\n\t"                                                                   \
    "vadd.f32 " sum3 ", " sum3 ", s31\n\t"

#endif
