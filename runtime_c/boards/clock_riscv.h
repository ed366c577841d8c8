/* The 64-bit counter of executed instructions, minstret. */
#ifndef TINYCC_CLOCK_RISCV_H
#define TINYCC_CLOCK_RISCV_H

#define CLOCK_HAS_STACK

static uint64_t clock_first;

static inline __attribute__((always_inline)) uint32_t *stack_pointer(void)
{
    uint32_t *pointer;
    __asm volatile("mv %0, sp" : "=r"(pointer));
    return pointer;
}

static inline void clock_start(void)
{
}

static inline __attribute__((always_inline)) uint64_t clock_read(void)
{
    uint32_t high, low, again;
    __asm volatile("1:\n\t"
                   "csrr %0, minstreth\n\t"
                   "csrr %1, minstret\n\t"
                   "csrr %2, minstreth\n\t"
                   "bne %0, %2, 1b"
                   : "=&r"(high), "=&r"(low), "=&r"(again)
                   :
                   : "memory");
    return ((uint64_t)high << 32) | low;
}

static inline __attribute__((always_inline)) void clock_begin(void)
{
    clock_first = clock_read();
}

static inline __attribute__((always_inline)) uint64_t clock_end(void)
{
    return clock_read() - clock_first;
}

#endif
