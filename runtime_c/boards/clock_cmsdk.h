/* CMSDK timer 0 of the MPS2 boards: counts down at 25 MHz. Registers: CTRL +0, VALUE +4, RELOAD +8. */
#ifndef TINYCC_CLOCK_CMSDK_H
#define TINYCC_CLOCK_CMSDK_H

#ifndef CLOCK_BASE
#define CLOCK_BASE 0x40000000u
#define CLOCK_QUARTERS 160u
#endif
#define CLOCK_DOWN 1
#define CLOCK_READ "ldr %[now], [%[base], #4]\n\t"
#define CLOCK_READ_INSTRUCTIONS 1u

static inline void clock_start(void)
{
    volatile uint32_t *const timer = (volatile uint32_t *)CLOCK_BASE;
    timer[2] = 0xFFFFFFFFu;
    timer[1] = 0xFFFFFFFFu;
    timer[0] = 1u;
}

#include "clock_edge.h"

#endif
