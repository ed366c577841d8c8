/* TIMER0 of the nRF51822: counts up at 16 MHz, 32 bits wide. It is read by capturing: TASKS_CAPTURE[0] at
 * +0x040 copies the count to CC[0] at +0x540, which is out of reach of a Thumb-1 offset from the same base.
 */
#ifndef TINYCC_CLOCK_NRF51_H
#define TINYCC_CLOCK_NRF51_H

#define CLOCK_TIMER 0x40008000u
#define CLOCK_BASE (CLOCK_TIMER + 0x500u)
#define CLOCK_QUARTERS 250u
#define CLOCK_DOWN 0
#define CLOCK_READ                                                                                           \
    "movs %[now], #0x13\n\t"                                                                                 \
    "lsls %[now], %[now], #6\n\t"                                                                            \
    "subs %[now], %[base], %[now]\n\t"                                                                       \
    "str %[one], [%[now]]\n\t"                                                                               \
    "ldr %[now], [%[base], #0x40]\n\t"
#define CLOCK_READ_INSTRUCTIONS 5u

static inline void clock_start(void)
{
    *(volatile uint32_t *)(CLOCK_TIMER + 0x504u) = 0u; /* MODE: timer */
    *(volatile uint32_t *)(CLOCK_TIMER + 0x508u) = 3u; /* BITMODE: 32 bits */
    *(volatile uint32_t *)(CLOCK_TIMER + 0x510u) = 0u; /* PRESCALER: none, 16 MHz */
    *(volatile uint32_t *)CLOCK_TIMER = 1u;            /* TASKS_START */
}

#include "clock_edge.h"

#endif
