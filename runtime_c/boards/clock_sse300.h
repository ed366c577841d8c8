/* System counter of the SSE-300 subsystem: counts up at 32 MHz. Registers: CNTCR +0, CNTCV +8 (low word). */
#ifndef TINYCC_CLOCK_SSE300_H
#define TINYCC_CLOCK_SSE300_H

#define CLOCK_BASE 0x58100000u
#define CLOCK_QUARTERS 125u
#define CLOCK_DOWN 0
#define CLOCK_READ "ldr %[now], [%[base], #8]\n\t"
#define CLOCK_READ_INSTRUCTIONS 1u

static inline void clock_start(void)
{
    *(volatile uint32_t *)CLOCK_BASE = 1u;
}

#include "clock_edge.h"

#endif
