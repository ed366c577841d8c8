/* Instruction counts from a timer slower than the processor.
 *
 * QEMU with -icount shift=0 executes one instruction a nanosecond, so a timer of f MHz ticks every
 * 1000/f instructions. To resolve less than a tick, counting begins just after a tick, and at its end
 * the passes of a short loop to the next tick are counted: the result is exact to about one pass.
 *
 * A clock header defines, before it includes this one:
 *     CLOCK_QUARTERS  quarters of an instruction in a tick
 *     CLOCK_DOWN      1 if the timer counts down
 *     CLOCK_READ      assembly that reads the timer into %[now] from the base %[base], may use %[one]
 *     CLOCK_READ_INSTRUCTIONS  how many these are
 *     CLOCK_BASE      address for %[base]
 */
#ifndef TINYCC_CLOCK_EDGE_H
#define TINYCC_CLOCK_EDGE_H

#define CLOCK_HAS_STACK

static uint32_t clock_first;

static inline __attribute__((always_inline)) uint32_t *stack_pointer(void)
{
    uint32_t *pointer;
    __asm volatile("mov %0, sp" : "=r"(pointer));
    return pointer;
}

/* Waits for the timer to change. Stores the value before the change, returns the passes of the loop. */
static inline __attribute__((always_inline)) uint32_t clock_wait(uint32_t *before)
{
    uint32_t now, first, passes = 0;
    const uint32_t one = 1;
    __asm volatile(".syntax unified\n\t" CLOCK_READ "mov %[first], %[now]\n"
                   "1:\t" CLOCK_READ "adds %[passes], #1\n\t"
                   "cmp %[now], %[first]\n\t"
                   "beq 1b\n\t"
                   : [now] "=&l"(now), [first] "=&l"(first), [passes] "+l"(passes)
                   : [base] "l"(CLOCK_BASE), [one] "l"(one)
                   : "cc", "memory");
    *before = first;
    return passes;
}

static inline __attribute__((always_inline)) void clock_begin(void)
{
    uint32_t first;
    clock_wait(&first);
    clock_first = first;
}

static inline __attribute__((always_inline)) uint64_t clock_end(void)
{
    uint32_t last;
    const uint32_t passes = clock_wait(&last);
    const uint32_t ticks = CLOCK_DOWN ? clock_first - last : last - clock_first;
    const uint64_t counted = ((uint64_t)ticks * CLOCK_QUARTERS) / 4u;
    /* A full tick and more is added, so that the difference cannot be negative; an empty count has it too. */
    return counted + 1024u - (uint64_t)passes * (CLOCK_READ_INSTRUCTIONS + 3u);
}

#endif
